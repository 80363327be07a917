"""Makes the record, raw and CloudEvents formats of an event. Pure.

Nothing here trusts a type: what can't be converted stays as it came, what no document names stays at its place.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

import msgspec
from msgspec import UNSET
from msgspec.structs import asdict

from listener.base.text import on_one_line
from listener.event.documented import documented
from listener.event.fields import EVENTS, NUMBERS, TICKET_MESSAGE, Converter
from listener.event.parsing import Received, milliseconds, parse, timestamp, utc
from listener.event.payload import load
from listener.event.plain_text import plain_text
from listener.event.tokens import remove_tokens, token_names

_CONVERTERS: Final[Mapping[object, Converter]] = {name: Converter(fields) for name, fields in EVENTS.items()}
_encoder = msgspec.json.Encoder().encode


def _encode(value: object) -> bytes:
    json = _encoder(value)
    # Nearly no text has the first bytes of such a line end: looking for one byte takes a tenth of the time.
    return on_one_line(json) if b"\xe2" in json or b"\xc2" in json else json


def _convert(event_type: object, event: Any) -> object:
    """Returns the event's object in the record's types, changed in place; what isn't an object stays as it is."""
    converter = _CONVERTERS.get(event_type) if type(event_type) is str else None
    if converter is not None and type(event) is dict:
        converter.one(event)
    return event


class _Record(msgspec.Struct, gc=False):
    """The record's own fields in their order; those that did not come are UNSET, and the encoder leaves them out."""

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
        created_at=utc(milliseconds(header.create_time)) or header.create_time,
        received_at=timestamp(received.received_ms),
        app_id=_id(header.app_id),
        tenant_key=header.tenant_key,
        schema=envelope.schema,
        seq=received.seq,
        event=envelope.event,
        plain_text=envelope.event.text if header.event_type == TICKET_MESSAGE else UNSET,
    )


def _of_any(received: Received) -> tuple[_Record, tuple[dict[str, Any], ...]]:
    """Returns the record, and the unknown fields of header and envelope, which follow the documented ones."""
    envelope = load(received.payload)
    header = envelope.pop("header")
    event_type, created = header.pop("event_type", UNSET), header.pop("create_time", UNSET)
    event = _convert(event_type, envelope.pop("event", UNSET))
    words = plain_text(event) if event_type == TICKET_MESSAGE else None
    record = _Record(
        event_id=str(header.pop("event_id")),
        event_type=event_type,
        created_at=utc(milliseconds(created)) or created,
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
    """Adds what no document names, under `extra` where the record uses the name, whether or not that field came."""
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
    """Returns CloudEvents 1.0 in JSON; `time` and `subject` are there only where known, as the specification wants."""
    event = parse(received.payload)
    data = event.envelope.get("event", UNSET)
    remove_tokens(data)
    attributes = {
        "specversion": "1.0",
        "id": event.event_id,
        "source": f"/feishu/{quote(event.tenant_key, safe='')}/{quote(event.app_id, safe='')}",
        "type": event.event_type or "unknown",
        "subject": event.ticket_id or UNSET,
        "time": utc(event.created_ms) or UNSET,
        "datacontenttype": "application/json",
        "data": _convert(event.event_type, data),
    }
    return _encode({name: value for name, value in attributes.items() if value is not UNSET})


FORMATS: Final[Mapping[str, Callable[[Received], bytes]]] = MappingProxyType(
    {"record": _record, "raw": _raw, "cloudevents": _cloudevent}
)
"""Format name → one JSON object in UTF-8, without a newline. Each raises Unparsable where `parse` does."""
