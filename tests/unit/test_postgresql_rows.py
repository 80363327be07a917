"""Rows of the postgresql sink: what stands in the columns, whatever the types of what came."""

import json
from typing import Any

import pytest

from listener.event import FORMATS
from listener.sinks.postgresql_rows import Row, Rows, columns_of
from tests.engines.configs import config_of, held
from tests.samples import encode, example, header, message, received, ticket

DSN = held("postgresql://u@localhost/d")


def row_of(envelope: dict[str, Any], **settings: Any) -> tuple[Row, bool]:
    """The row of an event, and whether NUL characters were replaced in it."""
    event, form = received(encode(envelope), seq=7), settings.get("format", "record")
    return Rows(config_of("postgresql", dsn=DSN, **settings)).row(event, FORMATS[form](event))


def of_event(**changes: Any) -> Row:
    return row_of(example(**changes))[0]


def test_the_documents_example_fills_every_column() -> None:
    row, replaced = row_of(example("e1"))
    assert not replaced
    assert ("e1", 7, "bot") == (row.event_id, row.seq, row.sender_type)
    assert None not in row
    assert "e1" == json.loads(row.record)["event_id"]


@pytest.mark.parametrize("form", ["record", "raw", "cloudevents"])
def test_the_columns_are_the_same_in_every_format(form: str) -> None:
    expected, _ = row_of(example("e1"))
    found, _ = row_of(example("e1"), format=form)
    assert expected[:-1] == found[:-1]


@pytest.mark.parametrize(
    ("column", "changes", "expected"),
    [
        ("ticket_id", {"ticket": ticket(ticket_id=12)}, "12"),
        ("ticket_id", {"ticket": [ticket(ticket_id="first"), ticket()]}, "first"),
        ("ticket_id", {"ticket": "words"}, None),
        ("ticket_id", {"ticket": None}, None),
        ("ticket_status", {"ticket": {"status": 50}}, "closed_by_bot"),
        ("sender_open_id", {"sender_id": None}, None),
        ("sender_open_id", {"sender_id": {"open_id": True}}, None),
        ("chat_id", {"chat_id": {"a": 1}}, None),
        ("text", {"text": "a\0b"}, "a\ufffdb"),
        ("ticket_id", {"ticket": ticket(ticket_id="a\0b")}, "a\ufffdb"),
    ],
)
def test_a_column_holds_what_can_be_a_text(column: str, changes: dict[str, Any], expected: str | None) -> None:
    assert expected == getattr(of_event(**changes), column)


def test_a_ticket_that_is_the_event_itself() -> None:
    event = ticket(ticket_id="t9", status=50)
    envelope = {"schema": "2.0", "header": header(event_type="helpdesk.ticket.created_v1"), "event": event}
    row, _ = row_of(envelope)
    assert ("t9", "closed_by_bot") == (row.ticket_id, row.ticket_status)


def test_nul_is_replaced_where_it_is_one_and_told() -> None:
    row, replaced = row_of(example(text="a\0b"))
    assert replaced
    assert b"\\u0000" not in row.record
    assert json.loads(row.record)["nul_replaced"] is True
    same, not_replaced = row_of(example(text="a\\u0000b"))  # a backslash and letters
    assert not not_replaced
    assert "a\\u0000b" == same.text == json.loads(same.record)["event"]["text"]


def test_a_time_that_no_column_can_hold_stays_in_the_record() -> None:
    envelope = example()
    envelope["header"]["create_time"] = "yesterday"
    row, _ = row_of(envelope)
    assert row.created_at is None
    assert "yesterday" == json.loads(row.record)["created_at"]


def test_what_is_omitted_is_in_no_column() -> None:
    row, _ = row_of({**example(), "event": message()}, format="raw", omit=("event.chat_id",))
    assert row.chat_id is None


def test_a_column_is_an_array_also_without_rows() -> None:
    assert [[] for _ in Row._fields] == columns_of([])
