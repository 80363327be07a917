"""The record's JSON Schema: true of every record, and no rubber stamp."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from listener.event import FORMATS
from listener.event.fields import EVENTS, Fields
from listener.event.json_schema import record_schema
from tests import samples

SCHEMA: dict[str, Any] = record_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
ENVELOPES = samples.seen() | samples.siblings()


def record(payload: bytes) -> Any:
    return json.loads(FORMATS["record"](samples.received(payload)))


def test_the_schema_is_json_schema_2020_12() -> None:
    assert "https://json-schema.org/draft/2020-12/schema" == SCHEMA["$schema"]
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA == json.loads(json.dumps(SCHEMA))


@pytest.mark.parametrize("envelope", ENVELOPES.values(), ids=ENVELOPES.keys())
def test_every_record_is_valid(envelope: samples.Envelope) -> None:
    VALIDATOR.validate(record(samples.encode(envelope)))


@pytest.mark.parametrize(("payload", "_"), samples.repairable().values(), ids=samples.repairable().keys())
def test_every_repaired_record_is_valid(payload: bytes, _: object) -> None:
    VALIDATOR.validate(record(payload))


@pytest.mark.parametrize("value", ["10\n", "1e400", "010", " 1", "", "9" * 5000, None, True, [1], {"a": 1}])
def test_a_record_with_a_value_as_it_came_is_valid(value: object) -> None:
    VALIDATOR.validate(record(samples.encode(samples.example(position=value, sender_id=value, ticket=value))))


def test_the_names_of_codes_are_listed() -> None:
    about = next(each for name, each in properties(SCHEMA) if name == "sender_type_name")
    assert ["bot", "guest", "agent", "unknown"] == about["anyOf"][0]["enum"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("seq",), "1"),
        (("event_id",), ""),
        (("received_at",), None),
        (("app_id",), 5),
        (("event", "position"), "10"),
        (("event", "chat_id"), 5),
        (("event", "sender_id", "open_id"), 5),
        (("event", "ticket", "status"), "50"),
        (("event", "ticket", "comments"), {}),
        (("event", "ticket", "comments"), None),
        (("event", "ticket", "comments", 0, "id"), 5),
        (("event", "ticket", "dissatisfaction_reason"), {}),
        (("event", "ticket", "customized_fields", 0, "position"), "1"),
        (("event", "ticket", "agent_service_duration"), "1.5"),
        (("event", "ticket", "agent_owner", "id"), 5),
    ],
)
def test_what_the_record_promises_is_checked(path: tuple[Any, ...], value: object) -> None:
    broken = place = record(samples.encode(samples.example()))
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert not VALIDATOR.is_valid(broken)


@pytest.mark.parametrize("name", ["event_id", "received_at", "seq"])
def test_what_is_always_there_is_required(name: str) -> None:
    broken = record(samples.encode(samples.example()))
    del broken[name]
    assert not VALIDATOR.is_valid(broken)


def test_the_siblings_are_checked_by_their_own_fields() -> None:
    broken = record(samples.encode(samples.ticket_updated()))
    broken["event"]["object"]["helpdesk_id"] = 5
    assert not VALIDATOR.is_valid(broken)


def properties(schema: Any) -> Iterator[tuple[str, Any]]:
    """Every named property at any depth."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {}).items()
        for each in schema.values():
            yield from properties(each)
    elif isinstance(schema, list):
        for each in schema:
            yield from properties(each)


def test_every_property_has_a_description() -> None:
    assert {name: True for name, _ in properties(SCHEMA)} == {
        name: each.get("description", "").endswith(".") for name, each in properties(SCHEMA)
    }


def test_every_field_of_a_record_is_described() -> None:
    described = {name for name, _ in properties(SCHEMA)}
    assert set() == set(names(record(samples.encode(samples.example())))) - described


def names(value: Any) -> Iterator[str]:
    """Every name in a record, at any depth."""
    if isinstance(value, dict):
        yield from value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from names(each)


@pytest.mark.parametrize("name", [name for name, _ in properties(SCHEMA) if name.endswith(("_time", "_duration"))])
def test_times_and_durations_name_their_unit(name: str) -> None:
    about = next(each["description"] for found, each in properties(SCHEMA) if found == name)
    assert any(unit in about for unit in ("milliseconds", "seconds", "minutes"))


def tables(fields: Fields) -> Iterator[tuple[str, Fields]]:
    """Every table inside a table, by its field's name."""
    for name, field in fields.items():
        if field.fields:
            yield name, field.fields
            yield from tables(field.fields)


def test_one_name_means_one_table() -> None:
    """`$defs` is keyed by the field's name."""
    found = [pair for fields in EVENTS.values() for pair in tables(fields)]
    assert found == [(name, dict(found)[name]) for name, _ in found]
