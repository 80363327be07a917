"""The hand-coded frames: what the library makes of them, and a stream cut anywhere, with anything in between."""

import asyncio
import random
from collections.abc import Iterator

import pytest
from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import OPEN, SERVER, Protocol
from websockets.uri import parse_uri

from listener.feishu.connection import FrameConnection
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


def connection(messages: list[tuple[bytes, bool]]) -> FrameConnection:
    """After its handshake; what comes in goes to `messages`."""
    protocol = ClientProtocol(parse_uri("ws://localhost/"), max_size=4 * 2**20)
    protocol.state = OPEN
    protocol.parser = Protocol.parse(protocol)
    next(protocol.parser)
    made = FrameConnection(protocol, on_message=lambda _, data, text: messages.append((data, text)))
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


def stream(chance: random.Random) -> Iterator[tuple[bytes, tuple[bytes, bool] | None]]:
    """(frames, the message that they are)."""
    for _ in range(60):
        data = chance.randbytes(chance.choice((0, 1, 5, 125, 126, 2000, 66_000)))
        match chance.randrange(8):
            case 0:
                yield served(Opcode.PING, data[:125]), None
            case 1:
                yield served(Opcode.TEXT, data.hex().encode()), (data.hex().encode(), True)
            case 2:
                half = served(Opcode.BINARY, data[:3], fin=False) + served(Opcode.PONG, b"")
                yield half + served(Opcode.CONT, data[3:]), (data, False)
            case _:
                yield served(Opcode.BINARY, data), (data, False)


@pytest.mark.parametrize("seed", range(20))
def test_a_stream_cut_anywhere_is_the_same_messages(seed: int) -> None:
    chance = random.Random(seed)
    frames, sent = zip(*stream(chance), strict=True)
    whole = b"".join(frames)

    async def main() -> None:
        came: list[tuple[bytes, bool]] = []
        made, start = connection(came), 0
        while start < len(whole):
            end = start + chance.choice((1, 2, 3, 4, 5, 100, 5000, 70_000))
            made.data_received(whole[start:end])
            start = end
        assert [message for message in sent if message is not None] == came

    asyncio.run(main())
