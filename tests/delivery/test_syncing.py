"""A sink that leaves its syncs to the worker: no position is kept before one, and a failed one repeats the lines."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from listener.delivery import worker as module
from listener.delivery.syncing import MOST, Unsynced
from listener.journal import Cursor, Journal
from listener.sinks.base import Line, LinesWritten, Outcome
from tests.delivery.working import Scripted, working
from tests.journal.keeping import keep, keep_ids, opened, rows, unformattable, until


class Lazy(Scripted):
    """Takes all; its syncs fail as the given words say, "" for those that don't."""

    def __init__(self, journal: Journal, *failures: str) -> None:
        super().__init__()
        self.failures = list(failures)
        self.journal = journal
        self.synced: list[list[str]] = []  # ids, by sync
        self.kept: list[int] = []  # the journal's cursor, at each sync

    def deliver(self, lines: Sequence[Line]) -> Outcome:
        self.got += lines
        return LinesWritten(len(lines), f"after {lines[-1].event.seq}", sync=self.sync)

    def sync(self) -> str:
        self.kept.append(kept(self.journal))
        if failure := self.failures.pop(0) if self.failures else "":
            self.got.clear()
        self.synced.append(self.ids)
        return failure


def kept(journal: Journal) -> int:
    return int(rows(journal.path, "SELECT seq FROM cursors WHERE sink='archive'")[0][0])


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with opened(tmp_path / "j.db") as journal:
        yield journal


def test_the_position_is_kept_after_the_sync(journal: Journal) -> None:
    sink = Lazy(journal)
    with working(journal, sink):
        keep_ids(journal, "a", "b")
        until(lambda: kept(journal) == 2, "it is kept")
    assert ["a", "b"] == sink.synced[-1]
    assert all(seq < 2 for seq in sink.kept)


def test_a_sync_that_fails_repeats_what_came_since_the_last(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SYNC_PAUSE", 0.0)
    sink = Lazy(journal, "", "Input/output error")
    with working(journal, sink) as worker:
        keep_ids(journal, "a")
        until(lambda: kept(journal) == 1, "it is kept")
        keep_ids(journal, "b", "c")
        until(lambda: kept(journal) == 3, "they are kept")
        assert [2, 3] == [line.event.seq for line in sink.got]
        assert 3 == worker.state.delivered


def test_a_dead_letter_waits_for_the_sync_of_what_is_before_it(journal: Journal) -> None:
    sink = Lazy(journal)
    keep_ids(journal, "a")
    keep(journal, unformattable("b"))
    with working(journal, sink) as worker:
        until(lambda: worker.state.dead_letters == 1, "it is a dead letter")
        assert [["a"]] == sink.synced
    assert 2 == kept(journal)


def test_a_stop_syncs_first(journal: Journal) -> None:
    sink = Lazy(journal)
    with working(journal, sink) as worker:
        keep_ids(journal, "a")
        until(lambda: worker.state.delivered == 1, "it is delivered")
        worker.stop()
        until(lambda: worker.ended, "it has ended")
        assert ["a"] == sink.synced[-1]


def test_many_events_wait_for_no_time() -> None:
    unsynced = Unsynced(Cursor(0))
    assert not unsynced
    unsynced.add(MOST - 1, str)
    assert unsynced
    assert not unsynced.due(1 << 40)
    unsynced.add(1, str)
    assert unsynced.due(1 << 40)
    assert "" == unsynced.sync()
    assert not unsynced


def test_large_payloads_wait_for_no_time_in_a_small_journal() -> None:
    unsynced = Unsynced(Cursor(0))
    unsynced.add(1, str)
    unsynced.size += 70_000
    assert unsynced.due(1 << 20)
    assert not unsynced.due(1 << 30)
    unsynced.settled(Cursor(1))
    assert not unsynced.due(1 << 20)
