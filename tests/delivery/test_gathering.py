"""Where much comes, a worker lets a few events become more, so that they share a sync."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from listener.delivery import worker as module
from listener.delivery.worker import Worker
from listener.journal import Journal
from tests.delivery.working import Scripted, working
from tests.journal.keeping import keep, keep_ids, opened, unformattable, until

FOREVER = 1000.0  # seconds


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journal]:
    """Of a worker that waits for as many as three, however long that takes."""
    for name, value in {"FLOW": FOREVER, "LINGER": FOREVER, "BATCH": 6}.items():
        monkeypatch.setattr(module, name, value)
    with opened(tmp_path / "j.db") as journal:
        yield journal


def first_delivered(journal: Journal, worker: Worker) -> None:
    """From here on events are of a flow."""
    keep_ids(journal, "a")
    until(lambda: worker.state.delivered == 1, "the first one waits for nobody")


def test_a_few_wait_until_they_are_enough(journal: Journal) -> None:
    sink = Scripted()
    with working(journal, sink) as worker:
        first_delivered(journal, worker)
        for one in "bcd":
            keep_ids(journal, one)
        until(lambda: sink.ids == list("abcd"), "they are enough")
        assert 2 == sink.attempts


def test_a_stop_ends_the_waiting(journal: Journal) -> None:
    def stopped() -> bool:
        worker.stop()  # again and again: one that comes just before it waits is noticed after LINGER
        return worker.ended

    sink = Scripted()
    with working(journal, sink) as worker:
        first_delivered(journal, worker)
        keep_ids(journal, "b")
        until(stopped, "it has everything")
    assert ["a", "b"] == sink.ids


def test_what_can_not_be_formatted_ends_the_waiting(journal: Journal) -> None:
    sink = Scripted()
    with working(journal, sink) as worker:
        first_delivered(journal, worker)
        keep_ids(journal, "b")
        keep(journal, unformattable("c"))
        until(lambda: worker.state.dead_letters == 1, "it is a dead letter")
    assert ["a", "b"] == sink.ids


def test_no_more_than_wanted(journal: Journal) -> None:
    sink = Scripted()
    with working(journal, sink, limit=3) as worker:
        first_delivered(journal, worker)
        for one in "bcd":
            keep_ids(journal, one)
        until(lambda: worker.ended, "it has three")
    assert list("abc") == sink.ids
