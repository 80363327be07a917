"""Codes by hand the one kind of websocket frame that carries events and acks. Pure. Source: RFC 6455, section 5.2.

The library takes 5 µs to parse an event's frame and to make its ack's, this code 1. Frames of another kind are left to
it.
"""

from websockets.frames import apply_mask  # type: ignore[attr-defined]  # in C, where the library has that

_FINAL_BINARY = 0x82  # FIN, opcode 2: a whole binary message
_MASKED = 0x80
_IN_2_BYTES, _IN_8_BYTES = 126, 127  # in place of a length: it follows


def unframed(data: bytes) -> tuple[list[bytes], bytes, bytes]:
    """Returns (the whole binary messages at the beginning, the unfinished one after them, or anything else there)."""
    start = 0
    messages: list[bytes] = []
    while len(data) - start >= 4 and data[start] == _FINAL_BINARY:
        begin, size = start + 2, data[start + 1]
        if size > _IN_2_BYTES:  # more than 64 KiB, or masked, which a server's must not be
            break
        if size == _IN_2_BYTES:
            begin, size = start + 4, int.from_bytes(data[begin : begin + 2], "big")
        if begin + size > len(data):
            return messages, data[start:], b""
        start = begin + size
        messages.append(data[begin:start])
    return messages, b"", data[start:]


def sizes(data: bytes) -> tuple[int, int] | None:
    """Returns (bytes of the head, bytes of the payload) of the frame at the beginning, None while its head is torn.

    It takes no account of a mask, which a server's frame must not have: such a frame is refused before.
    """
    if len(data) < 2:
        return None
    size = data[1] & 0x7F
    more = {_IN_2_BYTES: 2, _IN_8_BYTES: 8}.get(size, 0)
    if len(data) < 2 + more:
        return None
    return 2 + more, int.from_bytes(data[2 : 2 + more], "big") if more else size


def framed(message: bytes, mask: bytes) -> bytes:
    """Returns a client's frame with a binary message; `mask` is 4 random bytes."""
    size = len(message)
    if size < _IN_2_BYTES:
        head = bytes((_FINAL_BINARY, _MASKED | size))
    elif size < 2**16:
        head = bytes((_FINAL_BINARY, _MASKED | _IN_2_BYTES)) + size.to_bytes(2, "big")
    else:
        head = bytes((_FINAL_BINARY, _MASKED | _IN_8_BYTES)) + size.to_bytes(8, "big")
    return head + mask + bytes(apply_mask(message, mask))
