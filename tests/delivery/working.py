"""A worker in a test, and sinks that do as they are told."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from listener.delivery.attempts import makes_sense
from listener.delivery.formatting import Formatter
from listener.delivery.worker import Worker
from listener.journal import Journal
from listener.sinks.base import Closed, Line, LinesWritten, Outcome, Retry, Sink, SinkConfig
from tests.journal.keeping import until

QUICK = Retry(max_delay=0.02, give_up_after=None)
HOUR, DAY = 3600.0, 86_400.0
Answer = Callable[[Sequence[Line]], Any]


def take(lines: Sequence[Line]) -> Outcome:
    """All is well."""
    return LinesWritten(len(lines))


class Scripted:
    """A sink whose next answers are given; without any, it takes all. `got` is what it says it delivered."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.got: list[Line] = []
        self.attempts = 0
        self.idles = 0

    def open(self, position: str, upcoming: Iterator[bytes]) -> LinesWritten:
        return LinesWritten(0)

    def deliver(self, lines: Sequence[Line]) -> Outcome:
        self.attempts += 1
        outcome: Outcome = (self.answers.pop(0) if self.answers else take)(lines)
        if isinstance(outcome, LinesWritten) and makes_sense(outcome, len(lines)):
            self.got += lines[: outcome.count]
        return outcome

    def idle(self) -> Closed | None:
        self.idles += 1
        return None

    def reopen(self) -> None: ...

    def close(self) -> None: ...

    @property
    def ids(self) -> list[str]:
        return [line.event.event_id for line in self.got]


def config(name: str = "archive", **settings: Any) -> SinkConfig:
    given: dict[str, Any] = {"name": name, "type": "log", "retry": QUICK} | settings
    return SinkConfig(**given)


def worker_of(journal: Journal, sink: Sink, wanted: SinkConfig | None = None, **settings: Any) -> Worker:
    """Its cursor from the earliest event on, unless the journal knows it."""
    wanted = wanted or config()
    cursor = journal.attach([(wanted.name, True)])[wanted.name]
    given: dict[str, Any] = {"formatter": Formatter(share=False), "abandon": threading.Event()} | settings
    return Worker(wanted, sink, journal, cursor, **given)


@contextmanager
def working(journal: Journal, sink: Sink, wanted: SinkConfig | None = None, **settings: Any) -> Iterator[Worker]:
    worker = worker_of(journal, sink, wanted, **settings)
    worker.start()
    try:
        yield worker
    finally:
        worker.abandon()
        assert worker.join(10)


def drained(worker: Worker) -> None:
    """It has everything that is journalled by now, and has ended."""
    worker.stop()
    until(lambda: worker.ended, "it has everything")


def jumping(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """What moves the wall clock by so many seconds."""
    ahead, real, real_ns = [0.0], time.time, time.time_ns
    monkeypatch.setattr(time, "time", lambda: real() + ahead[0])
    monkeypatch.setattr(time, "time_ns", lambda: real_ns() + int(ahead[0] * 1e9))
    return lambda seconds: ahead.__setitem__(0, ahead[0] + seconds)
