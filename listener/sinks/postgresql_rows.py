"""Makes events into rows of the postgresql sink's table. Pure.

The columns say what the record says, whatever `format` and `transform` make of the line in the column `record`; what
the settings omit or mask is neither in the columns nor in the line. Rows go out as an array for each column: one JSON
array of rows would save the daemon half of its work, but cost the server, which others use as well, twice as much.
Lines go out as bytes: an array of jsonb, which the server would copy three times, costs it a quarter more.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec

from listener.base.text import on_one_line
from listener.event import FORMATS, Received
from listener.event.payload import object_of
from listener.event.reshaping import reshaping
from listener.sinks.base import SinkConfig

REPLACED: Final = "nul_replaced"  # marks a record in which U+FFFD stands for what jsonb and text can't hold


class Row(NamedTuple):
    """A value for each of postgresql_schema.COLUMNS, in their order."""

    event_id: str
    event_type: str | None
    ticket_id: str | None
    ticket_message_id: str | None
    chat_id: str | None
    sender_type: str | None
    sender_open_id: str | None
    ticket_status: str | None
    text: str | None
    created_at: datetime | None
    received_at: datetime
    app_id: str | None
    tenant_key: str | None
    seq: int
    record: bytes


class _RowTicket(msgspec.Struct, gc=False):
    ticket_id: str | None = None
    status_name: str | None = None


class _Sender(msgspec.Struct, gc=False):
    open_id: str | None = None


class _Event(_RowTicket, gc=False):
    """The fields of an event's object that the columns need; some types of event are themselves the ticket."""

    ticket: _RowTicket | None = None
    object: _RowTicket | None = None
    sender_id: _Sender | None = None
    ticket_message_id: str | None = None
    chat_id: str | None = None
    sender_type_name: str | None = None
    text: str | None = None


class _RowRecord(msgspec.Struct, gc=False):
    event: _Event | None = None
    event_type: str | None = None
    created_at: Any = None
    app_id: str | None = None
    tenant_key: str | None = None
    plain_text: str | None = None


_NO_EVENT: Final = _Event()
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_decode = msgspec.json.Decoder().decode
_decode_record = msgspec.json.Decoder(_RowRecord).decode
_encode = msgspec.json.Encoder().encode


class Rows:
    """Makes rows as one sink's settings want them."""

    def __init__(self, config: SinkConfig) -> None:
        self._is_record = config.format == "record" and config.transform is None
        omitted = _omitted_of_record(config.format, config.omit)
        self._reshaped = None if self._is_record else reshaping(omitted, config.mask)
        self._shows_text = not {"event.text", "event.content"} & set(omitted)

    def row(self, event: Received, data: bytes) -> tuple[Row, bool]:
        """Returns (the row, whether characters that PostgreSQL can't hold were replaced in it)."""
        suspect = _may_hold_nul(data)
        replaced = suspect and _holds_nul(value := _decode(data))
        line = on_one_line(_encode(_marked(_without_nul(value)))) if replaced else data
        if self._is_record:
            return self._row(event, _read(data, suspect), line), replaced
        record = self._record(event)
        return self._row(event, _read(record, _may_hold_nul(record)), line), replaced

    def _record(self, event: Received) -> bytes:
        record = FORMATS["record"](event)
        return self._reshaped(record) if self._reshaped else record

    def _row(self, event: Received, record: _RowRecord, line: bytes) -> Row:
        inner = record.event or _NO_EVENT
        ticket = inner.ticket or inner.object or inner
        return Row(
            str(_text(event.event_id)),
            record.event_type,
            ticket.ticket_id,
            inner.ticket_message_id,
            inner.chat_id,
            inner.sender_type_name,
            inner.sender_id.open_id if inner.sender_id else None,
            ticket.status_name,
            (record.plain_text if self._shows_text else None) or inner.text,
            _time(record.created_at),
            _EPOCH + timedelta(milliseconds=event.received_ms),
            record.app_id,
            record.tenant_key,
            event.seq,
            line,
        )


def columns_of(rows: Sequence[Row]) -> list[list[Any]]:
    """Returns the arrays that `Table.insert` takes, one for each column."""
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in Row._fields]


def _omitted_of_record(form: str, omit: Sequence[str]) -> list[str]:
    """Returns the record's paths of what `omit` names in lines of this format."""
    before = {"cloudevents": ("data", "event"), "raw": ("header", "")}.get(form)
    if not before:
        return list(omit)
    theirs, ours = before
    moved = [ours + path.removeprefix(theirs) if f"{path}.".startswith(f"{theirs}.") else path for path in omit]
    return [path.lstrip(".") for path in moved if path.lstrip(".")]


def _read(record: bytes, suspect: bool) -> _RowRecord:
    """Returns what the columns need, whatever the types of the rest; `suspect`: its texts may hold NUL characters."""
    if not suspect:
        try:
            return _decode_record(record)  # as documented: a third of the time
        except msgspec.ValidationError:  # numbers, lists of tickets, texts instead of objects
            pass
    value = _decode(record)
    event = object_of(value.get("event"))
    inner = {name: _texts(object_of(event.get(name))) or None for name in ("ticket", "object", "sender_id")}
    return msgspec.convert({**_texts(value), "event": {**_texts(event), **inner}}, _RowRecord)


def _texts(value: dict[str, Any]) -> dict[str, Any]:
    return {name: _text(inner) for name, inner in value.items()}


def _text(value: Any) -> str | None:
    if type(value) is not str:
        return str(value) if type(value) in (int, float) else None
    return value.replace("\0", "\ufffd") if "\0" in value else value


def _time(value: Any) -> datetime | None:
    """Returns the time if the record has it as RFC 3339; one outside years 1 to 9999 stays in the record alone."""
    try:
        return datetime.fromisoformat(value) if type(value) is str and value.endswith("Z") else None
    except ValueError:
        return None


def _may_hold_nul(json: bytes) -> bool:
    """Returns whether it has what NUL looks like in JSON; looking for one byte first takes a fifth of the time."""
    return b"\\" in json and b"\\u0000" in json


def _holds_nul(value: Any) -> bool:
    """Returns whether a text in it holds NUL; in JSON's own text a backslash before "u0000" looks the same."""
    if type(value) is dict:
        return any(_holds_nul(name) or _holds_nul(inner) for name, inner in value.items())
    if type(value) is list:
        return any(map(_holds_nul, value))
    return type(value) is str and "\0" in value


def _without_nul(value: Any) -> Any:
    if type(value) is dict:
        return {_without_nul(name): _without_nul(inner) for name, inner in value.items()}
    if type(value) is list:
        return [_without_nul(one) for one in value]
    return _text(value) if type(value) is str else value


def _marked(value: Any) -> Any:
    return value | {REPLACED: True} if type(value) is dict else value
