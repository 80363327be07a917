"""What the platform pushes comes out of the sinks: complete, in every format, whatever its shape."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from listener.event.json_schema import record_schema
from listener.simulator import PlatformThread
from tests import samples
from tests.daemon import Daemon
from tests.lines import whole_lines

THREE = "".join(
    f'[[sinks]]\nname = "{form}"\ntype = "file"\nformat = "{form}"\npath = "{form}.jsonl"\n'
    for form in ("record", "raw", "cloudevents")
)
VALIDATOR = jsonschema.Draft202012Validator(record_schema())


def lines(home: Path, form: str) -> list[Any]:
    file = home / "logs" / f"{form}.jsonl"
    return [json.loads(line) for line in whole_lines(file)]


def test_the_documents_example_and_what_was_seen_in_the_wild(stand_in: PlatformThread, tmp_path: Path) -> None:
    events = [samples.example(), *samples.seen().values()]
    for number, event in enumerate(events):
        event["header"]["event_id"] = f"event-{number}"
    with Daemon(tmp_path, domain=stand_in.url, config=THREE) as daemon:
        daemon.ready()
        for event in events:
            assert 200 == stand_in.call(stand_in.call(stand_in.platform.push, event).acked).code
        for form in ("record", "raw", "cloudevents"):
            daemon.until(lambda form=form: len(lines(tmp_path, form)) == len(events), f"all as {form}")  # type: ignore[misc]
        assert 0 == daemon.stop()
    blanked = [event | {"header": event["header"] | {"token": ""}} for event in events]
    assert blanked == lines(tmp_path, "raw")
    records = lines(tmp_path, "record")
    for record in records:
        VALIDATOR.validate(record)
    assert [e["header"]["event_id"] for e in events] == [r["event_id"] for r in records]
    assert list(range(1, len(events) + 1)) == [r["seq"] for r in records]
    assert [r["event"] for r in records] == [c["data"] for c in lines(tmp_path, "cloudevents")]
    for event, record in zip(events, records, strict=True):
        assert set() == _leaves(event["event"]) - _leaves(record["event"])


def _leaves(value: object) -> set[str]:
    """Every leaf as text, so that "10" and 10 are one: nothing may be missing, types may be mended."""
    if isinstance(value, dict):
        return {leaf for item in value.values() for leaf in _leaves(item)}
    if isinstance(value, list):
        return {leaf for item in value for leaf in _leaves(item)}
    return set() if value is None else {str(value)}


def test_fields_that_no_document_names_are_in_the_record(stand_in: PlatformThread, tmp_path: Path) -> None:
    event = samples.example()
    event["header"]["resource_id"] = "r1"
    event["trace"] = {"deep": [1, None]}
    event["event"]["mood"] = "good"
    event["event"]["ticket"]["priority"] = {"level": 3}
    with Daemon(tmp_path, domain=stand_in.url) as daemon:
        daemon.ready()
        stand_in.call(stand_in.platform.push, event)
        daemon.until(lambda: daemon.stdout, "a record")
    (record,) = daemon.records
    assert "r1" == record["resource_id"]
    assert {"deep": [1, None]} == record["trace"]
    assert "good" == record["event"]["mood"]
    assert {"level": 3} == record["event"]["ticket"]["priority"]


@pytest.mark.parametrize("kind", ["unparsable", "repairable"])
def test_what_is_almost_json_stalls_nobody(kind: str, stand_in: PlatformThread, tmp_path: Path) -> None:
    """Repaired and forwarded, or kept aside: acked 200 either way, and what comes next comes through."""
    odd = [p if isinstance(p, bytes) else p[0] for p in getattr(samples, kind)().values()]
    odd = [p.replace(b"5e3702a84e847582be8db7fb73283c02", b"odd-%d" % n) for n, p in enumerate(odd)]
    odd += [samples.deep(1_000)]
    with Daemon(tmp_path, domain=stand_in.url) as daemon:
        daemon.ready()
        for payload in odd:
            assert 200 == stand_in.call(stand_in.call(stand_in.platform.push, payload).acked).code
        stand_in.call(stand_in.platform.push, samples.example("after"))
        daemon.until(lambda: any(r["event_id"] == "after" for r in daemon.records), "the event after them")
        assert 0 == daemon.stop()
    forwarded = len(daemon.records) - 1
    assert (0 if kind == "unparsable" else len(odd) - 1) == forwarded
    for record in daemon.records:
        VALIDATOR.validate(record)


def test_other_types_are_acked_counted_and_named_once(stand_in: PlatformThread, tmp_path: Path) -> None:
    other = samples.example("other")
    other["header"]["event_type"] = "im.message.receive_v1"
    with Daemon(tmp_path, domain=stand_in.url) as daemon:
        daemon.ready()
        for number in range(3):
            other["header"]["event_id"] = f"other-{number}"
            assert 200 == stand_in.call(stand_in.call(stand_in.platform.push, other).acked).code
        stand_in.call(stand_in.platform.push, samples.example("wanted"))
        daemon.until(lambda: daemon.stdout, "the wanted one")
        assert 0 == daemon.stop()
    assert ["wanted"] == [record["event_id"] for record in daemon.records]
    assert 1 == daemon.said("im.message.receive_v1")
