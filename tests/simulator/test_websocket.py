"""The server's half of RFC 6455, held against the websockets library's client frames."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import OP_BINARY, OP_CONT, OP_PING, OP_TEXT, Opcode
from websockets.frames import Frame as LibraryFrame

from listener.simulator.websocket_codec import (
    BINARY,
    PING,
    TEXT,
    FrameReader,
    ProtocolViolation,
    WebSocketMessage,
    accept_key,
    encode,
    encode_close,
    parse_close,
)


def client_frame(opcode: Opcode, data: bytes, *, fin: bool = True) -> bytes:
    return LibraryFrame(opcode, data, fin).serialize(mask=True)


@given(st.lists(st.sampled_from([b"", b"a", b"x" * 125, b"y" * 126, b"z" * 70_000]), max_size=5), st.data())
def test_messages_come_out_whole_however_the_stream_is_cut(payloads: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(client_frame(OP_BINARY, payload) for payload in payloads)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    reader = FrameReader()
    edges = [0, *cuts, len(stream)]
    found = [message for start, end in pairwise(edges) for message in reader.feed(stream[start:end])]
    assert [WebSocketMessage(BINARY, payload) for payload in payloads] == found


def test_a_stream_byte_by_byte() -> None:
    reader = FrameReader()
    stream = client_frame(OP_TEXT, "工单".encode()) + client_frame(OP_PING, b"?")
    found = [message for byte in stream for message in reader.feed(bytes((byte,)))]
    assert [WebSocketMessage(TEXT, "工单".encode()), WebSocketMessage(PING, b"?")] == found


def test_fragments_are_joined_and_control_frames_pass_between_them() -> None:
    stream = client_frame(OP_BINARY, b"a", fin=False) + client_frame(OP_PING, b"")
    stream += client_frame(OP_CONT, b"b", fin=False) + client_frame(OP_CONT, b"c")
    assert [WebSocketMessage(PING, b""), WebSocketMessage(BINARY, b"abc")] == FrameReader().feed(stream)


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        (LibraryFrame(OP_BINARY, b"unmasked").serialize(mask=False), 1002),
        (LibraryFrame(OP_BINARY, b"u" * 200).serialize(mask=False), 1002),
        (client_frame(OP_CONT, b"of nothing"), 1002),
        (client_frame(OP_BINARY, b"a", fin=False) + client_frame(OP_BINARY, b"b"), 1002),
        (b"\xc2" + client_frame(OP_BINARY, b"")[1:], 1002),
        (b"\x82\xff" + (1 << 40).to_bytes(8, "big") + b"mask", 1009),
    ],
    ids=["unmasked", "unmasked long", "stray", "interrupted", "reserved", "huge"],
)
def test_violations_name_the_close_code(stream: bytes, code: int) -> None:
    with pytest.raises(ProtocolViolation) as caught:
        FrameReader().feed(stream)
    assert code == caught.value.code


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_writes_what_the_library_writes(size: int) -> None:
    assert LibraryFrame(OP_BINARY, b"x" * size).serialize(mask=False) == encode(BINARY, b"x" * size)


def test_the_accept_key_of_the_rfc() -> None:
    assert accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_close_frames_carry_code_and_reason() -> None:
    assert parse_close(encode_close(4001, "bye")[2:]) == (4001, "bye")
    assert parse_close(b"") == (1005, "")
