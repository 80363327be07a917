"""What every sink must do, whatever its type."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from listener.sinks import TYPES
from listener.sinks.base import LinesWritten, Sink
from listener.sinks.network import NetworkConfig
from listener.sinks.stdout import StdoutConfig, StdoutSink
from tests.sinks.lines import Delivery, config_of, lines, sink_of


class Case:
    """A sink of one type, and what arrived at its other end."""

    def __init__(self, kind: str, tmp_path: Path) -> None:
        self.kind, self.path = kind, tmp_path / "out.jsonl"
        self.config = config_of(kind, tmp_path)
        self.fd: int | None = None
        self.logged: list[str] = []
        if kind == "log":
            structlog.configure(processors=[self._note], cache_logger_on_first_use=False)

    def new(self) -> Sink:
        if isinstance(self.config, StdoutConfig):
            return StdoutSink(self.config, threading.Event(), self._file())
        return sink_of(self.config, threading.Event())

    def _file(self) -> int:
        """In place of standard output, which is the same one for each sink."""
        if self.fd is None:
            self.fd = os.open(self.path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        return self.fd

    def got(self) -> list[int]:
        """The seqs that arrived, in order."""
        if self.kind == "log":
            return [int(seq) for seq in self.logged]
        return [int(one.split(b":")[1].split(b",")[0]) for one in self.path.read_bytes().splitlines()]

    def _note(self, _logger: object, _method: str, event: structlog.typing.EventDict) -> str:
        if "seq" in event:
            self.logged.append(str(event["seq"]))
        raise structlog.DropEvent


@pytest.fixture(params=[name for name, kind in TYPES.items() if not issubclass(kind.config, NetworkConfig)])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Case]:
    case = Case(request.param, tmp_path)
    yield case
    if case.fd is not None:
        os.close(case.fd)
    structlog.reset_defaults()


def test_delivers_in_order(case: Case) -> None:
    delivery = Delivery(case.new())
    for first in range(1, 500, 50):
        delivery.give(lines(first, first + 49))
    assert list(range(1, 501)) == case.got()


def test_a_new_one_finds_nothing_of_before(case: Case) -> None:
    assert 0 == Delivery(case.new(), "", lines(1, 5)).found


def test_goes_on_from_its_kept_place(case: Case) -> None:
    delivery = Delivery(case.new())
    delivery.give(lines(1, 3))
    delivery.keep()
    delivery.sink.close()
    after = Delivery(case.new(), delivery.kept.position, lines(4, 6))
    after.give(lines(4, 6))
    assert 0 == after.found
    assert [1, 2, 3, 4, 5, 6] == case.got()


def test_its_place_is_text_that_the_journal_keeps(case: Case) -> None:
    delivery = Delivery(case.new())
    delivery.give(lines(1, 3))
    assert delivery.place.position == delivery.place.position.encode().decode()
    assert len(delivery.place.position) < 1000


def test_takes_nothing_as_nothing(case: Case) -> None:
    sink = case.new()
    sink.open("", iter(()))
    outcome = sink.deliver([])
    assert isinstance(outcome, LinesWritten)
    assert 0 == outcome.count


def test_can_be_idle_reopened_and_closed_at_any_time(case: Case) -> None:
    delivery = Delivery(case.new())
    for n in range(1, 4):
        assert None is delivery.sink.idle()
        delivery.sink.reopen()
        delivery.give(lines(n, n))
    delivery.sink.close()
    delivery.sink.close()
    assert [1, 2, 3] == case.got()


def test_a_position_of_another_type_is_no_reason_to_fail(case: Case) -> None:
    Delivery(case.new(), '{"cursor":"of a webhook"}').give(lines(1, 2))
    assert [1, 2] == case.got()
