"""Decodes payload bytes to the envelope that they hold. Pure.

msgspec reads what is JSON; what is only almost JSON is repaired first, and the rest is Unparsable.
"""

import json
import math
import re
from typing import Any, Final

import msgspec

MAX_DEPTH: Final = 100
"""Deepest nesting that is forwarded. Documented events have 5 levels; common readers of JSON stop at 128.

It is counted here, over the bytes: where the parsers give up depends on the Python version and on the caller's stack.
"""
TOO_DEEP: Final = f"nested deeper than {MAX_DEPTH} levels"
_not_brackets = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[^][{}"]++', re.DOTALL)


class Unparsable(ValueError):
    """A payload can't be read; `reason` says why and quotes none of it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Header(msgspec.Struct, gc=False):
    event_id: str
    event_type: str = ""


class _Envelope(msgspec.Struct, gc=False):
    header: _Header


class _Message(msgspec.Struct, gc=False):
    ticket_message_id: str | int = ""


class _MessageEnvelope(msgspec.Struct, gc=False):
    event: _Message


_decode_message = msgspec.json.Decoder(_MessageEnvelope).decode
_decode_header = msgspec.json.Decoder(_Envelope).decode
_decode = msgspec.json.Decoder().decode


class _Ticket(msgspec.Struct, gc=False):
    ticket_id: str


class _OfTicket(msgspec.Struct, gc=False):
    ticket: _Ticket


class _TicketEnvelope(msgspec.Struct, gc=False):
    event: _OfTicket


decode_ticket = msgspec.json.Decoder(_TicketEnvelope).decode


def identify(payload: bytes) -> tuple[str, str]:
    """Returns (event_id, event_type) of a payload, decoding no more of it than that; the type is "" if there is none.

    Raises Unparsable, and nothing else, whatever the bytes. Only the header is validated, so `parse` may still refuse
    the event.
    """
    check_depth(payload)
    try:
        header = _decode_header(payload).header
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors; `load` repairs or says why not
        header = None
    if header and header.event_id:
        return header.event_id, header.event_type
    return identity(load(payload)["header"])


def message_id_of(payload: bytes) -> str:
    """Returns the ticket_message_id of a payload that `identify` has read, or "" where it has none."""
    try:
        return str(_decode_message(payload).event.ticket_message_id)
    except (ValueError, RecursionError):
        return ""


def load(payload: bytes) -> dict[str, Any]:
    """Returns the envelope as a new dict, repaired where needed, whose header has an identity. Raises Unparsable."""
    envelope = read_json(payload)
    if type(envelope) is not dict:
        raise Unparsable("not a JSON object")
    if type(envelope.get("header")) is not dict:
        raise Unparsable("no header object")
    identity(envelope["header"])
    return envelope


def read_json(payload: bytes) -> object:
    """Returns the value that these bytes hold, repaired where needed. Raises Unparsable."""
    check_depth(payload)
    try:
        try:
            return _decode(payload)
        except ValueError:
            return _decode(_repair(payload))
    except RecursionError:
        raise Unparsable(TOO_DEEP) from None
    except ValueError as error:
        raise Unparsable(f"not JSON: {error}") from None


def check_depth(payload: bytes) -> None:
    """Raises Unparsable for what is nested too deep. Only a payload with many brackets is read for it."""
    if _brackets(payload) > MAX_DEPTH and _too_deep(payload):
        raise Unparsable(TOO_DEEP)


def _brackets(payload: bytes) -> int:
    """Returns how many brackets open, even inside strings. replace() searches three times as fast as count()."""
    return 2 * len(payload) - len(payload.replace(b"[", b"")) - len(payload.replace(b"{", b""))


def _too_deep(payload: bytes) -> bool:
    """Returns whether the brackets outside strings nest too deep."""
    depth = 0
    for bracket in _not_brackets.sub(b"", payload):
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_DEPTH:
            return True
    return False


def _repair(payload: bytes) -> bytes:
    """Returns strict JSON of what the standard library's forgiving parser reads, whose ValueError the rest raises."""
    value = json.loads(
        payload.decode("utf-8-sig", "replace"),
        strict=False,
        parse_int=_int_or_text,
        parse_float=_float_or_text,
        parse_constant=str,
    )
    text = json.dumps(value, ensure_ascii=False)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _int_or_text(text: str) -> int | str:
    return int(text) if len(text) <= 4300 else text  # CPython's and msgspec's bound


def _float_or_text(text: str) -> float | str:
    return value if math.isfinite(value := float(text)) else text


def identity(header: dict[str, Any]) -> tuple[str, str]:
    """Returns (event_id, event_type) of a decoded header. A float is no identity: two ids may round to one."""
    event_id = header.get("event_id")
    if type(event_id) not in (str, int) or event_id == "":
        raise Unparsable("no event_id in the header")
    return str(event_id), text_of(header.get("event_type"))


def object_of(value: Any) -> dict[str, Any]:
    """Returns an object as it is, the first of a list of objects, or {} for anything else."""
    value = value[0] if type(value) is list and value else value
    return value if type(value) is dict else {}


def text_of(value: object) -> str:
    """Returns a string as it is, a number's text, or "" for anything else."""
    return str(value) if type(value) in (str, int, float) else ""
