"""Reading payloads: identity, repair, and what is refused; nothing but Unparsable ever comes out."""

import json
from typing import Any

import pytest

from listener.event import FORMATS, TICKET_MESSAGE, Received, Unparsable, identify, parse
from listener.event.payload import MAX_DEPTH
from tests import samples


@pytest.mark.parametrize("header", [{"event_type": None}, {"event_type": ["x"]}, {}])
def test_identify_without_a_type(header: dict[str, Any]) -> None:
    assert ("1", "") == identify(samples.encode({"header": {"event_id": "1"} | header}))


@pytest.mark.parametrize("event_id", [7, 12345678901234567890123456789, "7", "é"])
def test_identify_makes_the_id_a_string(event_id: object) -> None:
    assert (str(event_id), "x") == identify(samples.encode({"header": {"event_id": event_id, "event_type": "x"}}))


@pytest.mark.parametrize(("payload", "text"), samples.repairable().values(), ids=samples.repairable().keys())
def test_repaired(payload: bytes, text: object) -> None:
    assert (samples.EVENT_ID, TICKET_MESSAGE) == identify(payload)
    lines = {name: json.loads(make(samples.received(payload))) for name, make in FORMATS.items()}
    assert text == lines["record"]["event"]["text"]
    assert text == lines["cloudevents"]["data"]["text"]
    assert text == lines["raw"]["event"]["text"]


def test_a_repaired_event_id_is_the_same_everywhere() -> None:
    payload = samples.encode(samples.example(event_id="@")).replace(b"@", rb"a\ud800")
    assert ("a�", TICKET_MESSAGE) == identify(payload)
    assert "a�" == json.loads(FORMATS["record"](samples.received(payload)))["event_id"]


@pytest.mark.parametrize(("payload", "reason"), samples.unparsable().values(), ids=samples.unparsable().keys())
def test_unparsable(payload: bytes, reason: str) -> None:
    for read in (identify, parse, *[lambda p, f=f: f(Received(1, "x", "", 0, p)) for f in FORMATS.values()]):
        with pytest.raises(Unparsable) as error:
            read(payload)
        assert error.value.reason.startswith(reason)


def test_the_deepest_nesting_does_not_depend_on_the_stack() -> None:
    assert TICKET_MESSAGE == parse(samples.deep(MAX_DEPTH - 2)).event_type
    with pytest.raises(Unparsable, match="nested deeper than 100 levels"):
        parse(samples.deep(MAX_DEPTH - 1))


@pytest.mark.parametrize("levels", [MAX_DEPTH - 1, 500, 5_000])
def test_the_depth_is_judged_alike_by_every_python_before_anything_is_acked(levels: int) -> None:
    """Also of what is no JSON at all: which error a parser meets first depends on its version."""
    for payload in (samples.deep(levels), samples.deep(levels)[:-levels]):
        with pytest.raises(Unparsable, match="nested deeper than 100 levels"):
            identify(payload)


def test_brackets_inside_strings_nest_nothing() -> None:
    payload = samples.in_text(b'"' + b'\\"[{' * 500 + b'"')
    assert TICKET_MESSAGE == parse(payload).event_type


def test_many_brackets_are_not_deep() -> None:
    assert TICKET_MESSAGE == parse(samples.in_text(b'["[[[["' + b",[{}]" * 500 + b"]")).event_type
