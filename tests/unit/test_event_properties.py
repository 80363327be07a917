"""Properties of the event module over arbitrary bytes, and over arbitrary JSON in any place of the example."""

import json
import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from listener.event import FORMATS, TICKET_MESSAGE, Received, Unparsable, identify, parse
from listener.event.documented import documented as documented_envelope
from listener.event.fields import EVENTS
from listener.event.json_schema import record_schema
from listener.event.payload import MAX_DEPTH, TOO_DEEP
from tests import samples

# No deadline: the tests share their cores.
quick = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
long = settings(quick, max_examples=2000)

VALIDATOR = Draft202012Validator(record_schema())
EXAMPLE = samples.encode(samples.example())

text = st.text() | st.from_regex(r"-?[0-9]{1,4}(\.[0-9]{1,2})?([eE][0-9]{1,3})?", fullmatch=True)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
documented = st.sampled_from(["id", "status", "ticket_id", "position", "comments", "extra", "seq", "status_name"])
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text | documented, inner, max_size=3)
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of everything in the example, and of a new field in each of its objects."""
    steps = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    new = [(*path, "new")] if isinstance(value, dict) else []
    return new + [place for step, each in steps for place in [(*path, step), *places(each, (*path, step))]]


PLACES = [path for path in places(samples.example()) if path not in {("header",), ("header", "event_id")}]


def replaced(envelope: Any, path: tuple[Any, ...], value: object) -> Any:
    place = envelope
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return envelope


def same(came: Any, became: Any) -> bool:
    """Whether a value survived, as it came or as one of the documented conversions."""
    if isinstance(became, list) and not isinstance(came, list):
        return became == [] if came is None else same(came, became[0])
    if isinstance(came, dict):
        return all(name in became and same(value, became[name]) for name, value in came.items())
    if isinstance(came, list):
        return len(came) == len(became) and all(map(same, came, became))
    if isinstance(came, str) and type(became) in (int, float):
        return bool(became == float(came))
    return (came, type(came)) == (became, type(became)) or str(came) == became


def only_unparsable(payload: bytes) -> None:
    """Every way of reading returns or raises Unparsable, and those that read it all agree."""
    received, refused = Received(1, "id", "type", 0, payload), set()
    for name, read in {"parse": lambda _: parse(payload), **FORMATS}.items():
        try:
            read(received)
        except Unparsable as error:
            refused.add((name, error.reason))
    assert {"parse", *FORMATS} == {name for name, _ in refused} or not refused
    assert 1 >= len({reason for _, reason in refused})
    try:
        identified = identify(payload)
    except Unparsable:
        assert refused
    else:
        assert refused or identified == (parse(payload).event_id, parse(payload).event_type)


@quick
@given(st.binary())
@example(b'{"header":{"event_id":"a"}}' + b" " * 10)
@example(b'{"header":{"event_id":"a"},"event":' + b"[" * 99 + b"]" * 99 + b"}")
@example(b"[" * 3000)
@example(b'{"a":' * 3000)
@example(b'"' + b"[" * 3000 + b'"')
def test_any_bytes(payload: bytes) -> None:
    only_unparsable(payload)


@given(
    st.integers(0, len(EXAMPLE)), st.integers(0, 20), st.binary(max_size=8) | st.sampled_from([rb"\ud83d", b"1e999"])
)
def test_the_example_with_a_part_overwritten(start: int, length: int, patch: bytes) -> None:
    only_unparsable(EXAMPLE[:start] + patch + EXAMPLE[start + length :])


anywhere = given(st.sampled_from(PLACES), values, st.sampled_from([*EVENTS, "other"]))


@quick
@anywhere
def test_any_json_in_any_place(path: tuple[Any, ...], value: object, event_type: str) -> None:
    kept_and_valid(path, value, event_type)


@pytest.mark.slow
@long
@anywhere
def test_much_json_in_any_place(path: tuple[Any, ...], value: object, event_type: str) -> None:
    kept_and_valid(path, value, event_type)


def kept_and_valid(path: tuple[Any, ...], value: object, event_type: str) -> None:
    """A record of the example with one value replaced is deterministic, valid and whole."""
    envelope = replaced(samples.example(), ("header", "event_type"), event_type)
    payload = samples.encode(replaced(envelope, path, value))
    line = FORMATS["record"](samples.received(payload))
    assert line == FORMATS["record"](samples.received(payload))
    record = json.loads(line)
    VALIDATOR.validate(record)
    came = json.loads(payload)
    assert same(came.get("event"), record.get("event"))
    unknown = came["header"] | came
    for name in unknown.keys() - {"header", "event", "token", "create_time"}:
        assert same(unknown[name], record[name])


@quick
@given(values)
def test_any_json_is_kept_raw(value: object) -> None:
    envelope = {"header": {"event_id": "1", "x": value}, "event": value}
    assert envelope == json.loads(FORMATS["raw"](samples.received(samples.encode(envelope))))


@quick
@given(st.integers() | st.floats().filter(math.isfinite))
def test_numbers_keep_their_value(number: float) -> None:
    payload = samples.in_text(json.dumps(number).encode())
    for name in ("record", "raw"):
        assert number == json.loads(FORMATS[name](samples.received(payload)))["event"]["text"]


def either_way(payload: bytes) -> tuple[object, object]:
    """The record, or why there is none, by the type that the journal noted, and by the general way."""
    found: list[object] = []
    for event_type in (TICKET_MESSAGE, "any other"):
        try:
            found.append(json.loads(FORMATS["record"](Received(1, "id", event_type, 0, payload))))
        except Unparsable as error:
            found.append(error.reason)
    return found[0], found[1]


@pytest.mark.parametrize("path", PLACES, ids=lambda path: ".".join(map(str, path)))
@pytest.mark.parametrize("value", [None, "", "1", "{}", 1, 1.5, True, [], {}, [{}], [None, {"id": 1}], {"id": 1}])
def test_a_documented_event_has_the_same_record_as_by_the_general_way(path: tuple[Any, ...], value: Any) -> None:
    one, other = either_way(samples.encode(replaced(samples.example(), path, value)))
    assert other == one


@pytest.mark.parametrize("path", PLACES, ids=lambda path: ".".join(map(str, path)))
def test_by_either_way_an_event_may_be_nested_no_deeper_than_the_bound(path: tuple[Any, ...]) -> None:
    for depth in (MAX_DEPTH - len(path), MAX_DEPTH + 1):
        nested = json.loads("[" * depth + "]" * depth)
        one, other = either_way(samples.encode(replaced(samples.example(), path, nested)))
        assert other == one
        assert (one == TOO_DEEP) == (depth > MAX_DEPTH)


@quick
@given(st.lists(st.tuples(st.sampled_from(PLACES), values), max_size=4))
def test_so_has_one_of_many_changes(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    envelope = samples.example()
    for path, value in changes:
        with suppress(TypeError, KeyError, IndexError):  # the place went with an earlier change
            envelope = replaced(envelope, path, value)
    one, other = either_way(samples.encode(envelope))
    assert other == one


def test_the_example_is_read_as_documented() -> None:
    assert documented_envelope(samples.encode(samples.example()), TICKET_MESSAGE)
