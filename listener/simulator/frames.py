"""The long connection's frames, coded by hand from the platform's field table (proto2).

Frame:  1 SeqID u64, 2 LogID u64, 3 service i32, 4 method i32 (all required), 5 headers,
        6 payload_encoding, 7 payload_type, 8 payload, 9 LogIDNew
Header: 1 key, 2 value (both required)

Written without the SDK's classes on purpose: a stand-in that shares the client's code shares its mistakes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

CONTROL, DATA = 0, 1  # values of `method`

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types (protobuf encoding guide)
_NUMBERS = {1: "seq_id", 2: "log_id", 3: "service", 4: "method"}
_TEXTS = {6: "payload_encoding", 7: "payload_type", 9: "log_id_new"}
_U64 = (1 << 64) - 1


@dataclass(slots=True)
class Frame:
    """One frame; empty optional fields are not written."""

    seq_id: int = 0
    log_id: int = 0
    service: int = 0
    method: int = CONTROL
    headers: list[tuple[str, str]] = field(default_factory=list)
    payload_encoding: str = ""
    payload_type: str = ""
    payload: bytes = b""
    log_id_new: str = ""

    def header(self, key: str) -> str | None:
        """Returns the first header with that key."""
        return next((value for name, value in self.headers if name == key), None)


def encode(frame: Frame) -> bytes:
    """Returns the frame's wire form, fields in the order of their numbers."""
    parts = [_number(number, getattr(frame, name)) for number, name in _NUMBERS.items()]
    parts += [_bytes(5, _bytes(1, key.encode()) + _bytes(2, value.encode())) for key, value in frame.headers]
    optional = (
        (6, frame.payload_encoding.encode()),
        (7, frame.payload_type.encode()),
        (8, frame.payload),
        (9, frame.log_id_new.encode()),
    )
    parts += [_bytes(number, value) for number, value in optional if value]
    return b"".join(parts)


def decode(data: bytes) -> Frame:
    """Returns the frame in `data`, unknown fields skipped.

    Raises:
        ValueError: torn, a wrong wire type, text that is not UTF-8, or a required field missing.
    """
    frame, missing = Frame(), set(_NUMBERS)
    for number, value in _fields(data):
        missing.discard(number)
        _set(frame, number, value)
    if missing:
        raise ValueError(f"required fields missing: {sorted(_NUMBERS[number] for number in missing)}")
    return frame


def varint(value: int) -> bytes:
    """Returns base-128, least group first; a negative number is written as its 64-bit two's complement."""
    value &= _U64
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)


def _number(number: int, value: int) -> bytes:
    return bytes((number << 3 | _VARINT,)) + varint(value)


def _bytes(number: int, value: bytes) -> bytes:
    return bytes((number << 3 | _BYTES,)) + varint(len(value)) + value


def _set(frame: Frame, number: int, value: int | bytes) -> None:
    if number in _NUMBERS:
        signed = number in (3, 4)
        setattr(frame, _NUMBERS[number], _int32(_as_int(value)) if signed else _as_int(value))
    elif number in _TEXTS:
        setattr(frame, _TEXTS[number], _as_bytes(value).decode())
    elif number == 5:
        frame.headers.append(_header(_as_bytes(value)))
    elif number == 8:
        frame.payload = _as_bytes(value)


def _header(data: bytes) -> tuple[str, str]:
    found = {number: value for number, value in _fields(data) if number in (1, 2)}
    if len(found) != 2:
        raise ValueError("a header lacks its key or its value")
    return _as_bytes(found[1]).decode(), _as_bytes(found[2]).decode()


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yields (field number, number or bytes) for each field of a message."""
    position, end = 0, len(data)
    while position < end:
        tag, position = _read_varint(data, position)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == _VARINT:
            value, position = _read_varint(data, position)
            yield number, value
            continue
        start, position = _span(data, position, wire_type)
        if position > end:
            raise ValueError(f"torn: field {number} ends {position - end} bytes after the message")
        yield number, data[start:position]


def _span(data: bytes, position: int, wire_type: int) -> tuple[int, int]:
    if wire_type == _BYTES:
        length, start = _read_varint(data, position)
        return start, start + length
    if wire_type in (_FIXED64, _FIXED32):
        return position, position + (8 if wire_type == _FIXED64 else 4)
    raise ValueError(f"wire type {wire_type} is not used by this protocol")


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    """Returns (value, position after it)."""
    value = shift = 0
    while shift < 70:
        if position >= len(data):
            raise ValueError("torn: the message ends inside a varint")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _U64, position
        shift += 7
    raise ValueError("a varint of more than ten bytes")


def _int32(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


def _as_int(value: int | bytes) -> int:
    if isinstance(value, bytes):
        raise ValueError("bytes where the field table says number")  # noqa: TRY004 -- callers catch one class
    return value


def _as_bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("a number where the field table says bytes")  # noqa: TRY004 -- callers catch one class
    return value
