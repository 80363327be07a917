"""Events to rows of the postgresql sink's table. Pure.

The columns say what the record says, whatever `format` and `transform` make of the line in the column `record`; what
the settings omit or mask is neither in the columns nor in the line.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from listener.base.text import on_one_line
from listener.event import FORMATS, Received
from listener.event.reshaping import reshaping
from listener.sinks.base import SinkConfig
from listener.sinks.postgresql_schema import COLUMNS

REPLACED: Final = "nul_replaced"  # marks a record in which U+FFFD stands for what jsonb and text can't hold
Row = tuple[Any, ...]
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class Rows:
    """Makes rows as one sink's settings want them; the values are in the order of postgresql_schema.COLUMNS."""

    def __init__(self, config: SinkConfig) -> None:
        self._is_record = config.format == "record" and config.transform is None
        self._reshaped: Callable[[bytes], bytes] | None = None
        if not self._is_record:
            self._reshaped = reshaping(_omitted_of_record(config.format, config.omit), config.mask)
        self._shows_text = not {"event.text", "event.content"} & set(_omitted_of_record(config.format, config.omit))

    def row(self, event: Received, data: bytes) -> tuple[Row, bool]:
        """(the row, whether characters that PostgreSQL can't hold were replaced in it)."""
        value = _decode(data) if self._is_record or b"\\u0000" in data else None
        replaced = value is not None and b"\\u0000" in data and _holds_nul(value)
        record = value if self._is_record else _decode(self._record(event))
        line = on_one_line(_encode(_marked(_without_nul(value)))) if replaced else data
        return self._values(event, record, line), replaced

    def _record(self, event: Received) -> bytes:
        record = FORMATS["record"](event)
        return self._reshaped(record) if self._reshaped else record

    def _values(self, event: Received, record: Any, line: bytes) -> Row:
        inner = _object(record.get("event"))
        ticket = _ticket(inner)
        return (
            _text(event.event_id),
            _text(record.get("event_type")),
            _text(ticket.get("ticket_id")),
            _text(inner.get("ticket_message_id")),
            _text(inner.get("chat_id")),
            _text(inner.get("sender_type_name")),
            _text(_object(inner.get("sender_id")).get("open_id")),
            _text(ticket.get("status_name")),
            _text((record.get("plain_text") if self._shows_text else None) or inner.get("text")),
            _time(record.get("created_at")),
            _EPOCH + timedelta(milliseconds=event.received_ms),
            _text(record.get("app_id")),
            _text(record.get("tenant_key")),
            event.seq,
            line.decode(),
        )


def columns_of(rows: Sequence[Row]) -> list[list[Any]]:
    """An array for each column."""
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in COLUMNS]


def _omitted_of_record(form: str, omit: Sequence[str]) -> list[str]:
    """The paths in the record of what `omit` names in lines of this format."""
    before = {"cloudevents": ("data", "event"), "raw": ("header", "")}.get(form)
    if not before:
        return list(omit)
    theirs, ours = before
    moved = [ours + path.removeprefix(theirs) if f"{path}.".startswith(f"{theirs}.") else path for path in omit]
    return [path.lstrip(".") for path in moved if path.lstrip(".")]


def _object(value: Any) -> dict[str, Any]:
    value = value[0] if type(value) is list and value else value
    return value if type(value) is dict else {}


def _ticket(event: dict[str, Any]) -> dict[str, Any]:
    """The ticket that an event is about, wherever its type keeps it."""
    places = (_object(event.get("ticket")), _object(event.get("object")), event)
    return next((place for place in places if "ticket_id" in place), {})


def _text(value: Any) -> str | None:
    if type(value) is not str:
        return str(value) if type(value) in (int, float) else None
    return value.replace("\0", "\ufffd") if "\0" in value else value


def _time(value: Any) -> datetime | None:
    """Only what the record has as RFC 3339; a time outside years 1 to 9999 stays in the record alone."""
    try:
        return datetime.fromisoformat(value) if type(value) is str and value.endswith("Z") else None
    except ValueError:
        return None


def _holds_nul(value: Any) -> bool:
    """Whether a text of it holds one; in JSON's own text a backslash before "u0000" looks the same."""
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
