"""The event, pure: payload bytes to a typed event, and to the record, raw and CloudEvents formats.

Nothing here trusts a type: what can't be converted stays as it came, what no document names stays at its place.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Any, ClassVar, Final
from urllib.parse import quote

import msgspec
from msgspec import UNSET
from msgspec.structs import asdict

from listener.base.text import on_one_line
from listener.event.documented import documented
from listener.event.fields import EVENTS, NUMBERS, TICKET_MESSAGE, Converter, number
from listener.event.payload import Unparsable, decode_ticket, identify, identity, load, text_of
from listener.event.plain_text import plain_text
from listener.event.tokens import remove_tokens, token_names

__all__ = ["FORMATS", "TICKET_MESSAGE", "Event", "Received", "Unparsable", "identify", "parse", "timestamp"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CONVERTERS: Final[Mapping[object, Converter]] = {name: Converter(fields) for name, fields in EVENTS.items()}
_UNITS: Final = ((10**11, 10**9), (10**14, 10**6), (10**17, 1000), (10**20, 1))
"""(bound, nanoseconds): a time below the bound, and not below the one before it, counts in units of so many."""
_encoder = msgspec.json.Encoder().encode


def _encode(value: object) -> bytes:
    json = _encoder(value)
    # Nearly no text has the first bytes of such a line end: looking for one byte takes a tenth of the time.
    return on_one_line(json) if b"\xe2" in json or b"\xc2" in json else json


class Discreet:
    """Whatever prints it shows the fields SHOWN and no other: a payload holds the verification token."""

    __slots__ = ()
    SHOWN: ClassVar[tuple[str, ...]] = ("event_id", "event_type")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(repr(value) for _, value in self.__rich_repr__())})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return [(name, getattr(self, name)) for name in self.SHOWN]


class Received(Discreet, msgspec.Struct, frozen=True, gc=False):
    """One event as the journal keeps it: `payload` is the platform's exact bytes, `received_ms` Unix ms.

    `added` is a JSON object of what was fetched for it (`_Added`), or b"".
    """

    SHOWN = ("seq", "event_id", "event_type")

    seq: int
    event_id: str
    event_type: str
    received_ms: int
    payload: bytes
    added: bytes = b""


class Event(Discreet, msgspec.Struct, frozen=True):
    """What a payload says, "" or None where it says nothing that fits; `created_ms` is Unix ms.

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
    """The typed event. Raises Unparsable.

    Repaired on the way: bad UTF-8 and lone surrogates become U+FFFD; NaN, infinities and numbers too large
    for a double (1e400) become strings of their text.
    """
    envelope = load(payload)
    header = envelope["header"]
    event_id, event_type = identity(header)
    return Event(
        event_id=event_id,
        event_type=event_type,
        created_ms=_milliseconds(header.get("create_time")),
        app_id=text_of(header.get("app_id")),
        tenant_key=text_of(header.get("tenant_key")),
        ticket_id=_ticket_id(envelope.get("event")),
        envelope=envelope,
    )


def ticket_of(payload: bytes) -> str | None:
    """The ticket that an event is about; None also where the payload can't be read."""
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
    """RFC 3339 in UTC, "2020-12-23T12:19:49.000Z", from Unix ms; outside years 1 to 9999 the number's text."""
    return _utc(ms) or str(ms)


def _milliseconds(value: object) -> int | None:
    """Unix ms of a whole number, or its text, that counts s, ms, µs or ns; its size tells which.

    Of today's times these have 10, 13, 16 and 19 digits. What has 12 to 14 is ms: the years 1973 to 5138.
    """
    time = number(value)
    if type(time) is not int:
        return None
    for bound, unit in _UNITS:
        if abs(time) < bound:
            return time * unit // 1_000_000
    return None


@lru_cache(maxsize=256)  # events that come together share their milliseconds
def _utc(ms: int | None) -> str | None:
    """RFC 3339 of Unix ms, None outside years 1 to 9999."""
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
        ticket = place[0] if type(place) is list and place else place
        if type(ticket) is dict and (ticket_id := text_of(ticket.get("ticket_id"))):
            return ticket_id
    return None


def _convert(event_type: object, event: Any) -> object:
    """The event's object in the record's types, changed in place; what isn't an object stays."""
    converter = _CONVERTERS.get(event_type) if type(event_type) is str else None
    if converter is not None and type(event) is dict:
        converter.one(event)
    return event


class _Record(msgspec.Struct, gc=False):
    """The record's own fields in their order; those that did not come are UNSET, which the encoder leaves out."""

    event_id: str
    event_type: Any
    created_at: Any
    received_at: str
    app_id: Any
    tenant_key: Any
    schema: Any
    seq: int
    event: Any
    plain_text: Any
    ticket_detail: Any = UNSET
    ticket_detail_error: Any = UNSET
    attachments: Any = UNSET


class _Added(msgspec.Struct, gc=False):
    """What was fetched for an event; its JSON goes into the record as it is."""

    ticket_detail: msgspec.Raw | msgspec.UnsetType = UNSET
    ticket_detail_error: msgspec.Raw | msgspec.UnsetType = UNSET
    attachments: msgspec.Raw | msgspec.UnsetType = UNSET


_added = msgspec.json.Decoder(_Added).decode
_OWN: Final = {*_Record.__struct_fields__, "extra"}


def _record(received: Received) -> bytes:
    envelope = documented(received.payload, received.event_type)
    record, unknown = (_of_documented(received, envelope), ()) if envelope else _of_any(received)
    if received.added:
        for name, value in asdict(_added(received.added)).items():
            setattr(record, name, value)
    return _encode(_with_unknown(record, *unknown) if any(unknown) else record)


def _of_documented(received: Received, envelope: Any) -> _Record:
    header = envelope.header
    return _Record(
        event_id=header.event_id,
        event_type=header.event_type,
        created_at=_utc(_milliseconds(header.create_time)) or header.create_time,
        received_at=timestamp(received.received_ms),
        app_id=_id(header.app_id),
        tenant_key=header.tenant_key,
        schema=envelope.schema,
        seq=received.seq,
        event=envelope.event,
        plain_text=envelope.event.text if header.event_type == TICKET_MESSAGE else UNSET,
    )


def _of_any(received: Received) -> tuple[_Record, tuple[dict[str, Any], ...]]:
    """The record, and the unknown fields of header and envelope, which come after the documented ones."""
    envelope = load(received.payload)
    header = envelope.pop("header")
    event_type, created = header.pop("event_type", UNSET), header.pop("create_time", UNSET)
    event = _convert(event_type, envelope.pop("event", UNSET))
    words = plain_text(event) if event_type == TICKET_MESSAGE else None
    record = _Record(
        event_id=str(header.pop("event_id")),
        event_type=event_type,
        created_at=_utc(_milliseconds(created)) or created,
        received_at=timestamp(received.received_ms),
        app_id=_id(header.pop("app_id", UNSET)),
        tenant_key=header.pop("tenant_key", UNSET),
        schema=envelope.pop("schema", UNSET),
        seq=received.seq,
        event=event,
        plain_text=UNSET if words is None else words,
    )
    remove_tokens(header, envelope, event)
    return record, (header, envelope)


def _id(value: object) -> object:
    return str(value) if type(value) in NUMBERS else value


def _with_unknown(record: _Record, *holders: dict[str, Any]) -> dict[str, Any]:
    """With what no document names, under `extra` where the record uses the name, whether or not that came."""
    fields = {name: value for name, value in asdict(record).items() if value is not UNSET}
    extra: dict[str, Any] = {}
    for holder in holders:
        for name, value in holder.items():
            if name in fields or name in _OWN:
                extra[_free(name, extra)] = value
            else:
                fields[name] = value
    return fields | ({"extra": extra} if extra else {})


def _free(name: str, taken: dict[str, Any]) -> str:
    while name in taken:  # header and envelope sent the same
        name += "_"
    return name


def _raw(received: Received) -> bytes:
    envelope = load(received.payload)
    event: Any = envelope.get("event")
    inner = event.get("header") if type(event) is dict else None
    holders: tuple[Any, ...] = (envelope, envelope["header"], event, inner)
    for holder in holders:
        for name in token_names(holder):
            holder[name] = ""
    return _encode(envelope)


def _cloudevent(received: Received) -> bytes:
    """CloudEvents 1.0 in JSON; `time` and `subject` only where they are known, as the specification wants."""
    event = parse(received.payload)
    data = event.envelope.get("event", UNSET)
    remove_tokens(data)
    attributes = {
        "specversion": "1.0",
        "id": event.event_id,
        "source": f"/feishu/{quote(event.tenant_key, safe='')}/{quote(event.app_id, safe='')}",
        "type": event.event_type or "unknown",
        "subject": event.ticket_id or UNSET,
        "time": _utc(event.created_ms) or UNSET,
        "datacontenttype": "application/json",
        "data": _convert(event.event_type, data),
    }
    return _encode({name: value for name, value in attributes.items() if value is not UNSET})


FORMATS: Final[Mapping[str, Callable[[Received], bytes]]] = MappingProxyType(
    {"record": _record, "raw": _raw, "cloudevents": _cloudevent}
)
"""Format name → one JSON object in UTF-8, without a newline. Each raises Unparsable where `parse` does."""
