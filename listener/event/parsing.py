"""Makes a typed event of a payload. Pure.

Nothing here trusts a type: what can't be read as it should is None or "".
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, ClassVar, Final

import msgspec

from listener.event.fields import number
from listener.event.payload import Unparsable, decode_ticket, identity, load, object_of, text_of

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS: Final = ((10**11, 10**9), (10**14, 10**6), (10**17, 1000), (10**20, 1))
"""(bound, nanoseconds): a time below the bound, and not below the one before it, counts in units of so many."""


class Discreet:
    """An object that shows the fields SHOWN and no other when it is printed: a payload holds the verification token."""

    __slots__ = ()
    SHOWN: ClassVar[tuple[str, ...]] = ("event_id", "event_type")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(repr(value) for _, value in self.__rich_repr__())})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return [(name, getattr(self, name)) for name in self.SHOWN]


class Received(Discreet, msgspec.Struct, frozen=True, gc=False):
    """An event as the journal keeps it: `payload` is the platform's exact bytes, `received_ms` is in Unix ms.

    `added` is a JSON object of what was fetched for it, or b"".
    """

    SHOWN = ("seq", "event_id", "event_type")

    seq: int
    event_id: str
    event_type: str
    received_ms: int
    payload: bytes
    added: bytes = b""


class Event(Discreet, msgspec.Struct, frozen=True):
    """What a payload says; a field is "" or None where the payload says nothing that fits. `created_ms` is in Unix ms.

    `envelope` is the decoded object as it came, with the verification token: print a format, never this.
    """

    SHOWN = ("event_id", "event_type", "ticket_id")

    event_id: str
    event_type: str
    created_ms: int | None
    app_id: str
    tenant_key: str
    ticket_id: str | None
    envelope: dict[str, Any]


def parse(payload: bytes) -> Event:
    """Returns the typed event. Raises Unparsable.

    It repairs bad UTF-8 and lone surrogates to U+FFFD; NaN, infinities and numbers too large for a double (1e400)
    become strings of their text.
    """
    envelope = load(payload)
    header = envelope["header"]
    event_id, event_type = identity(header)
    return Event(
        event_id=event_id,
        event_type=event_type,
        created_ms=milliseconds(header.get("create_time")),
        app_id=text_of(header.get("app_id")),
        tenant_key=text_of(header.get("tenant_key")),
        ticket_id=_ticket_id(envelope.get("event")),
        envelope=envelope,
    )


def ticket_of(payload: bytes) -> str | None:
    """Returns the id of the ticket that an event is about; None where there is none, or the payload can't be read."""
    try:
        if ticket_id := decode_ticket(payload).event.ticket.ticket_id:  # as documented: an eighth of the time
            return ticket_id
    except (ValueError, RecursionError):
        pass
    try:
        return parse(payload).ticket_id
    except Unparsable:
        return None


def timestamp(ms: int) -> str:
    """Returns RFC 3339 in UTC, "2020-12-23T12:19:49.000Z", of Unix ms; the number's text outside years 1 to 9999."""
    return utc(ms) or str(ms)


def milliseconds(value: object) -> int | None:
    """Returns Unix ms of a whole number, or of its text, which counts s, ms, µs or ns: its size tells which.

    Of today's times these have 10, 13, 16 and 19 digits. A number of 12 to 14 digits is in ms: the years 1973 to 5138.
    """
    time = number(value)
    if type(time) is not int:
        return None
    for bound, unit in _UNITS:
        if abs(time) < bound:
            return time * unit // 1_000_000
    return None


@lru_cache(maxsize=256)  # events that come together share their milliseconds
def utc(ms: int | None) -> str | None:
    """Returns RFC 3339 of Unix ms, None outside years 1 to 9999."""
    if ms is None:
        return None
    try:
        return f"{(_EPOCH + timedelta(milliseconds=ms)).isoformat(timespec='milliseconds')[:23]}Z"
    except OverflowError:
        return None


def _ticket_id(event: object) -> str | None:
    """Returns the id of the ticket that an event is about, from wherever the event's type keeps it."""
    if type(event) is not dict:
        return None
    for place in (event.get("ticket"), event.get("object"), event):
        if ticket_id := text_of(object_of(place).get("ticket_id")):
            return ticket_id
    return None
