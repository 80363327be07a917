"""The hand-coded frames: what the library makes of them, and a stream cut anywhere, with anything in between."""

import asyncio
import itertools
import random
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.client import ClientProtocol
from websockets.frames import DATA_OPCODES, Frame, Opcode
from websockets.protocol import CLIENT, OPEN, SERVER, Protocol
from websockets.uri import parse_uri
from websockets.utils import accept_key

from listener.feishu.websocket import MAX_MESSAGE, FrameConnection
from listener.feishu.wire import framed, unframed

SIZES = (0, 1, 125, 126, 127, 65535, 65536, 100_000)


def served(opcode: Opcode, data: bytes, *, fin: bool = True) -> bytes:
    """A server's frame, by the library."""
    return Frame(opcode, data, fin).serialize(mask=False)


class Transport(asyncio.Transport):
    """Takes what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.aborted = asyncio.Event()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written = bytes(data)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def abort(self) -> None:
        self.aborted.set()


Messages = list[tuple[bytes, bool]]


ANSWER = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "


def opening(messages: Messages, **settings: Any) -> tuple[FrameConnection, bytes]:
    """One that waits for this answer to its handshake; what comes in goes to `messages`."""
    protocol = ClientProtocol(parse_uri("ws://localhost/"), max_size=MAX_MESSAGE)
    made = FrameConnection(protocol, lambda _, data, text: messages.append((data, text)), **settings)
    made.connection_made(Transport())
    return made, ANSWER + accept_key(protocol.key).encode() + b"\r\n\r\n"


def connection(messages: Messages) -> FrameConnection:
    """After its handshake."""
    made, answer = opening(messages)
    made.data_received(answer)
    assert made.state is OPEN
    return made


class Library:
    """What the library makes of the same bytes by itself."""

    def __init__(self) -> None:
        self.messages: Messages = []
        self.protocol = Protocol(CLIENT, state=OPEN, max_size=MAX_MESSAGE)
        self._parts: list[Frame] = []

    def data_received(self, data: bytes) -> None:
        self.protocol.receive_data(data)
        for event in self.protocol.events_received():
            if isinstance(event, Frame) and event.opcode in DATA_OPCODES:
                self._parts.append(event)
                if event.fin:
                    whole = b"".join(bytes(part.data) for part in self._parts)
                    self.messages.append((whole, self._parts[0].opcode is Opcode.TEXT))
                    self._parts = []


@pytest.mark.parametrize("size", SIZES)
def test_what_is_framed_is_what_the_library_reads(size: int) -> None:
    message = random.randbytes(size)
    server = Protocol(SERVER, state=OPEN, max_size=None)
    server.receive_data(framed(message, random.randbytes(4)) * 2)
    assert [(Opcode.BINARY, message, True)] * 2 == [
        (event.opcode, bytes(event.data), event.fin) for event in server.events_received() if isinstance(event, Frame)
    ]


def test_whole_messages_an_unfinished_one_and_something_else() -> None:
    one, other = served(Opcode.BINARY, b"x" * 300), served(Opcode.BINARY, b"yy")
    ping = served(Opcode.PING, b"")
    assert ([b"x" * 300, b"yy"], b"", b"") == unframed(one + other)
    assert ([b"yy"], one[:-1], b"") == unframed(other + one[:-1])
    assert ([b"yy"], b"", ping + one) == unframed(other + ping + one)
    assert ([], b"", served(Opcode.BINARY, bytes(65536))) == unframed(served(Opcode.BINARY, bytes(65536)))


BEGINS_A_FRAME = (b"\x82\x03", b"\x82\x7e\x00", b"\x82", b"\x08", b"")


def some_data(chance: random.Random) -> bytes:
    """Such as would be taken for frames if one looked at the wrong place."""
    size = chance.choice((0, 1, 2, 5, 125, 126, 127, 2000, 0x8205, 0x827E, 66_000))
    return (chance.choice(BEGINS_A_FRAME) + chance.randbytes(size))[:size]


def some_frames(chance: random.Random) -> Iterator[bytes]:
    for _ in range(20):
        data = some_data(chance)
        match chance.randrange(16):
            case 0 | 1:
                yield served(Opcode.PING, data[:125])
            case 2:
                yield served(Opcode.TEXT, data.hex().encode())
            case 3 | 4:
                yield served(Opcode.BINARY, data, fin=False)
                yield served(Opcode.PONG, data[:20])
                yield served(Opcode.CONT, data)
            case 5 if chance.random() < 0.1:
                yield chance.choice((served(Opcode.CLOSE, b"\x03\xe8bye"), b"\xc2\x01x", b"\x82\x81mask-", b"\x83\x00"))
            case _:
                yield served(Opcode.BINARY, data)


def cut(frames: list[bytes], chance: random.Random) -> Iterator[bytes]:
    """The stream in pieces, most of the cuts within a frame's first bytes."""
    whole, at = b"".join(frames), 0
    cuts = {0, len(whole)}
    for frame in frames:
        cuts |= {at + offset for offset in (0, 1, 2, 3, 4, 10) if chance.random() < 0.3}
        at += len(frame)
    for start, end in itertools.pairwise(sorted(cut for cut in cuts if cut <= len(whole))):
        yield whole[start:end]


@pytest.mark.parametrize("seeds", [range(start, start + 25) for start in range(0, 100, 25)], ids=str)
def test_a_stream_cut_anywhere_is_what_the_library_makes_of_it(seeds: range) -> None:
    async def main(seed: int) -> None:
        chance = random.Random(seed)
        came: Messages = []
        ours, library = connection(came), Library()
        for piece in cut(list(some_frames(chance)), chance):
            ours.data_received(piece)
            library.data_received(piece)
        assert library.messages == came, seed
        assert library.protocol.state is ours.state, seed

    for seed in seeds:
        asyncio.run(main(seed))


KINDS = {
    "ping": served(Opcode.PING, b"p"),
    "pong": served(Opcode.PONG, b"p"),
    "text": served(Opcode.TEXT, "文".encode()),
    "binary of 64 KiB": served(Opcode.BINARY, bytes(65536)),
    "in two frames": served(Opcode.BINARY, b"a", fin=False) + served(Opcode.CONT, b"b"),
    "close": served(Opcode.CLOSE, b"\x03\xe8bye"),
    "a continuation of nothing": served(Opcode.CONT, b"b"),
    "masked": framed(b"x", b"mask"),
    "reserved bits": b"\xc2\x01x",
    "unknown opcode": b"\x83\x00",
    "a long ping": b"\x89\x7e\x00\x80" + bytes(128),
    "not UTF-8": served(Opcode.TEXT, b"\xff"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_frame_is_what_the_library_makes_of_it(kind: str) -> None:
    async def main() -> None:
        came: Messages = []
        ours, library = connection(came), Library()
        for data in (served(Opcode.BINARY, b"before"), KINDS[kind], served(Opcode.BINARY, b"after")):
            ours.data_received(data)
            library.data_received(data)
        assert library.messages == came
        assert library.protocol.state is ours.state

    asyncio.run(main())


def test_a_message_over_the_limit_says_its_size() -> None:
    async def main() -> None:
        whole, parts = connection([]), connection([])
        whole.data_received(served(Opcode.BINARY, bytes(MAX_MESSAGE + 1))[:20])
        parts.data_received(served(Opcode.BINARY, bytes(MAX_MESSAGE), fin=False) + served(Opcode.CONT, b"x"))
        assert (MAX_MESSAGE + 1, MAX_MESSAGE + 1) == (whole.oversized, parts.oversized)
        assert whole.state is not OPEN

    asyncio.run(main())


def test_frames_that_come_with_the_handshakes_answer_are_not_lost() -> None:
    async def main() -> None:
        came: Messages = []
        made, answer = opening(came)
        for byte in answer[:-1]:
            made.data_received(bytes((byte,)))
        made.data_received(answer[-1:] + served(Opcode.BINARY, b"early"))
        assert [(b"early", False)] == came

    asyncio.run(main())


def test_a_peer_that_answers_no_websocket_ping_is_left() -> None:
    """A server may ask for application pings so rarely that this one is the first to notice."""

    async def main() -> None:
        made, answer = opening([], keepalive=0.02)
        shaking = asyncio.ensure_future(made.handshake())
        await asyncio.sleep(0)
        made.data_received(answer)
        await shaking
        transport = made.transport
        assert isinstance(transport, Transport)
        async with asyncio.timeout(5):
            await transport.aborted.wait()

    asyncio.run(main())
