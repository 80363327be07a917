"""Codes the server's half of RFC 6455: bytes in, messages out, no sockets. Pure.

It is written for speed: one call of `feed` handles every frame that one read from the socket brought.
"""

import base64
import hashlib
from typing import NamedTuple

try:
    from websockets.speedups import apply_mask
except ImportError:  # a build of websockets without its C extension
    from websockets.utils import apply_mask

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA  # RFC 6455, section 5.2

MAX_MESSAGE = 16 << 20  # bytes; acks are tiny, more than this is a client gone mad

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3


class WebSocketMessage(NamedTuple):
    """A whole message or control frame: opcode (TEXT, BINARY, CLOSE, PING, PONG) and unmasked payload."""

    opcode: int
    data: bytes


class ProtocolViolation(ValueError):
    """The client broke RFC 6455; `code` is the close code to answer with."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def accept_key(key: str) -> str:
    """Returns Sec-WebSocket-Accept for a Sec-WebSocket-Key (RFC 6455, section 4.2.2)."""
    digest = hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


def encode(opcode: int, payload: bytes) -> bytes:
    """Returns a server's frame: final, unmasked."""
    return frame_head(opcode, len(payload)) + payload


def frame_head(opcode: int, length: int) -> bytes:
    """Returns the head of a frame whose payload has `length` bytes."""
    if length < 126:
        return bytes((0x80 | opcode, length))
    if length < 1 << 16:
        return bytes((0x80 | opcode, 126)) + length.to_bytes(2, "big")
    return bytes((0x80 | opcode, 127)) + length.to_bytes(8, "big")


def encode_close(code: int, reason: str = "") -> bytes:
    """Returns a close frame (RFC 6455, section 5.5.1)."""
    return encode(CLOSE, code.to_bytes(2, "big") + reason.encode()[:123])


def parse_close(payload: bytes) -> tuple[int, str]:
    """Returns (code, reason) of a close frame's payload; 1005 stands for none (RFC 6455, section 7.1.5)."""
    if len(payload) < 2:
        return 1005, ""
    return int.from_bytes(payload[:2], "big"), payload[2:].decode(errors="replace")


class FrameReader:
    """Collects a client's frames into messages."""

    def __init__(self) -> None:
        self._rest = b""
        self._fragments: list[bytes] = []
        self._opcode = 0

    def feed(self, data: bytes) -> list[WebSocketMessage]:
        """Returns every message that `data` completes.

        Raises:
            ProtocolViolation: an unmasked frame, reserved bits, an oversized message, a stray continuation.
        """
        buffer = self._rest + data if self._rest else data
        messages: list[WebSocketMessage] = []
        position, end = 0, len(buffer)
        while end - position >= 6:
            start = position + 6
            length = buffer[position + 1] - 0x80
            if not 0 <= length < 126:
                if (header := _long_header(buffer, position)) is None:
                    break
                start, length = header
            if start + length > end:
                break
            first, position = buffer[position], start + length
            payload = apply_mask(buffer[start:position], buffer[start - 4 : start])
            if first == 0x80 | BINARY and not self._fragments:
                messages.append(WebSocketMessage(BINARY, payload))
            else:
                self._collect(first, payload, messages)
        self._rest = buffer[position:]
        return messages

    def _collect(self, first: int, payload: bytes, messages: list[WebSocketMessage]) -> None:
        """Handles the frames that are rare: control frames, text, and parts of a fragmented message."""
        opcode = first & 0x0F
        if first & 0x70:
            raise ProtocolViolation(1002, "reserved bits are set")
        if opcode >= CLOSE:
            messages.append(WebSocketMessage(opcode, payload))
            return
        if (opcode == CONTINUATION) != bool(self._fragments):
            raise ProtocolViolation(1002, "a continuation of nothing, or none where one must come")
        self._opcode = self._opcode if self._fragments else opcode
        self._fragments.append(payload)
        if sum(map(len, self._fragments)) > MAX_MESSAGE:
            raise ProtocolViolation(1009, "message too big")
        if first & 0x80:
            messages.append(WebSocketMessage(self._opcode, b"".join(self._fragments)))
            self._fragments = []


def _long_header(buffer: bytes, position: int) -> tuple[int, int] | None:
    """Returns (start of payload, its length) where the length is an extended one; None while the header is torn."""
    second = buffer[position + 1]
    if second < 0x80:
        raise ProtocolViolation(1002, "a client's frames must be masked")
    size = 2 if second == 0x80 | 126 else 8
    length = int.from_bytes(buffer[position + 2 : position + 2 + size], "big")
    start = position + 2 + size + 4
    if len(buffer) < start:
        return None
    if length > MAX_MESSAGE:
        raise ProtocolViolation(1009, "message too big")
    return start, length
