"""The hand-coded frames: what the library makes of them, and a stream cut anywhere, with anything in between."""

import asyncio
import itertools
import random
from collections.abc import Iterator

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import OPEN, SERVER, Protocol
from websockets.uri import parse_uri

from listener.feishu.websocket import FrameConnection
from listener.feishu.wire import framed, unframed

SIZES = (0, 1, 125, 126, 127, 65535, 65536, 100_000)


def served(opcode: Opcode, data: bytes, *, fin: bool = True) -> bytes:
    """A server's frame, by the library."""
    return Frame(opcode, data, fin).serialize(mask=False)


class Transport(asyncio.Transport):
    """Takes what is written."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written = bytes(data)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def abort(self) -> None:
        pass


Messages = list[tuple[bytes, bool]]


def connection(messages: Messages, kind: type[FrameConnection] = FrameConnection) -> FrameConnection:
    """After its handshake; what comes in goes to `messages`."""
    protocol = ClientProtocol(parse_uri("ws://localhost/"), max_size=4 * 2**20)
    protocol.state = OPEN
    made = kind(protocol, on_message=lambda _, data, text: messages.append((data, text)))
    protocol.parser = Protocol.parse(protocol)
    next(protocol.parser)
    made.connection_made(Transport())
    made.response = Response(101, "Switching Protocols", Headers())
    return made


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


class Slow(FrameConnection):
    """Leaves every byte to the library."""

    def data_received(self, data: bytes) -> None:
        ClientConnection.data_received(self, data)


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
        came: list[Messages] = [[], []]
        fast, slow = connection(came[0]), connection(came[1], Slow)
        for piece in cut(list(some_frames(chance)), chance):
            fast.data_received(piece)
            slow.data_received(piece)
        assert came[1] == came[0], seed
        assert slow.protocol.state is fast.protocol.state, seed
        assert repr(slow.protocol.parser_exc) == repr(fast.protocol.parser_exc), seed

    for seed in seeds:
        asyncio.run(main(seed))


def test_whole_messages_do_not_go_through_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        came: Messages = []
        made = connection(came)
        made.data_received(served(Opcode.PING, b"") + served(Opcode.BINARY, b"first"))
        monkeypatch.setattr(made.protocol, "receive_data", None)
        made.data_received(served(Opcode.BINARY, b"second"))
        assert [(b"first", False), (b"second", False)] == came

    asyncio.run(main())
