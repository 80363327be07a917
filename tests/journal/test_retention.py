"""What leaves the journal, what never does, and what happens when it is full."""

import time
from pathlib import Path

import pytest

from listener.base.clock import uptime
from listener.journal import Cursor, Journal
from tests.journal.keeping import (
    archiving,
    bodies,
    deliver_all,
    ids,
    keep,
    keep_ids,
    known,
    payload,
    pending,
    rows,
    until,
)

HOUR_MS = 3_600_000
DAY = 86_400.0


class Clock:
    """The wall clock, moved by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._real, self._ahead = time.time_ns, 0
        self._passed = 0.0
        monkeypatch.setattr(time, "time_ns", lambda: self._real() + self._ahead)
        monkeypatch.setattr("listener.journal.retention.uptime", lambda: uptime() + self._passed)

    def move(self, seconds: float) -> None:
        """Time passes."""
        self.jump(seconds)
        self._passed += seconds

    def jump(self, seconds: float) -> None:
        """Somebody sets the clock."""
        self._ahead += int(seconds * 1e9)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("listener.journal.writer.IDLE", 0.01)
    for name in ("EVERY", "WHILE_FULL", "WHILE_BUSY", "FORGET_SINKS_EVERY"):
        monkeypatch.setattr(f"listener.journal.retention.{name}", 0.0)


def looked_through(journal: Journal) -> None:
    """Everything was looked at since now."""
    start, answered = journal.retention, journal.writer.answered
    start._next_look = 0.0
    until(lambda: journal.writer.answered > answered, "a look")
    answered = journal.writer.answered
    until(lambda: journal.writer.answered > answered, "another look")


def test_delivered_bodies_leave_after_keep_their_ids_a_day_later(tmp_path: Path, clock: Clock) -> None:
    with archiving(tmp_path / "j.db", keep_s=2 * DAY) as journal:
        keep_ids(journal, "a", "b")
        deliver_all(journal)
        clock.move(1.9 * DAY)
        looked_through(journal)
        assert ["a", "b"] == bodies(journal)

        clock.move(0.2 * DAY)
        until(lambda: bodies(journal) == [], "the bodies are gone")
        assert ["a", "b"] == known(journal)
        assert [200] == keep_ids(journal, "a")  # still known, so not kept twice
        assert 2 == journal.last_seq

        clock.move(1.0 * DAY)
        until(lambda: known(journal) == [], "the ids are gone")


def test_what_is_not_delivered_stays_however_old(tmp_path: Path, clock: Clock) -> None:
    with archiving(tmp_path / "j.db", "quick", "down", keep_s=60) as journal:
        keep_ids(journal, "a", "b", "c")
        journal.advance("quick", Cursor(3))
        journal.advance("down", Cursor(1))
        journal.flush()
        clock.move(400 * DAY)
        until(lambda: bodies(journal) == ["b", "c"], "what both have is gone")
        looked_through(journal)
        assert ["b", "c"] == bodies(journal)


def test_a_removed_sink_holds_nothing_back_and_is_forgotten_after_30_days(tmp_path: Path, clock: Clock) -> None:
    with archiving(tmp_path / "j.db", "archive", "removed") as journal:
        keep_ids(journal, "a")
    with archiving(tmp_path / "j.db", "archive", keep_s=60) as journal:
        deliver_all(journal)
        clock.move(29 * DAY)
        until(lambda: bodies(journal) == [], "the body is gone")
        looked_through(journal)
        assert {"archive", "removed"} == {sink for (sink,) in rows(journal.path, "SELECT sink FROM cursors")}
        clock.move(2 * DAY)
        until(lambda: rows(journal.path, "SELECT sink FROM cursors") == [("archive",)], "the sink is forgotten")


def test_a_closed_sink_holds_nothing_back(tmp_path: Path, clock: Clock) -> None:
    with archiving(tmp_path / "j.db", "archive", "stdout", keep_s=60) as journal:
        keep_ids(journal, "a")
        deliver_all(journal)
        journal.retention.release("stdout")
        clock.move(DAY)
        until(lambda: bodies(journal) == [], "the body is gone")


def test_a_dead_letter_keeps_its_body_until_it_is_discarded(tmp_path: Path, clock: Clock) -> None:
    with archiving(tmp_path / "j.db", keep_s=60) as journal:
        keep_ids(journal, "a", "b", "c")
        journal.dead_letter("archive", 2, "no", 1, Cursor(2))
        deliver_all(journal)
        clock.move(400 * DAY)
        until(lambda: known(journal) == ["b"], "the others are gone")
        journal.do(lambda connection: connection.execute("DELETE FROM dead_letters") and None)
        until(lambda: known(journal) == [], "it is gone too")


def test_what_is_kept_aside_stays(tmp_path: Path, clock: Clock) -> None:
    with archiving(tmp_path / "j.db", keep_s=60) as journal:
        keep(journal, b"hello")
        clock.move(400 * DAY)
        looked_through(journal)
        assert [(b"hello",)] == rows(journal.path, "SELECT payload FROM aside")


def test_an_ordered_replay_keeps_its_events(tmp_path: Path, clock: Clock) -> None:
    with archiving(tmp_path / "j.db", keep_s=60) as journal:
        keep_ids(journal, "a", "b", "c")
        deliver_all(journal)
        order = "INSERT INTO orders VALUES (1, 'archive', 'replay', 0, 9, 1, 3, 0)"
        journal.do(lambda connection: connection.execute(order) and None)
        clock.move(DAY)
        until(lambda: bodies(journal) == ["b", "c"], "what is not ordered is gone")
        looked_through(journal)
        assert ["b", "c"] == bodies(journal)


def test_pruning_gives_way_to_events(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much there is to remove, an event waits for one slice at most."""
    for name in ("SLICE_MAX", "SLICE_MIN"):
        monkeypatch.setattr(f"listener.journal.retention.{name}", 4)
    with archiving(tmp_path / "j.db", keep_s=60) as journal:
        keep_ids(journal, *(str(n) for n in range(400)))
        deliver_all(journal)
        clock.move(DAY)
        journal.retention._rows = 4
        until(lambda: len(bodies(journal)) < 400, "it has begun")
        assert [200] == keep_ids(journal, "new")
        assert "new" in bodies(journal)
        assert len(bodies(journal)) > 10
        until(lambda: bodies(journal) == ["new"], "the rest is gone")


def test_a_slow_disk_makes_the_slices_shorter(tmp_path: Path) -> None:
    with archiving(tmp_path / "j.db") as journal:
        retention = journal.retention
        retention._rows = 1024
        for _ in range(10):
            retention._pace(1.0)
        assert 16 == retention._rows
        for _ in range(10):
            retention._pace(0.001)
        assert 1024 == retention._rows


# Clocks that jump


def test_a_clock_that_jumps_back_or_ahead_by_a_day_loses_and_repeats_nothing(tmp_path: Path, clock: Clock) -> None:
    with archiving(tmp_path / "j.db", keep_s=2 * DAY) as journal:
        seen: list[str] = []
        for jump in (0, -HOUR_MS / 1000, DAY, -DAY, 0):
            clock.jump(jump)
            looked_through(journal)
            seen.append(f"after {len(seen)}")
            assert [200] * len(seen) == keep_ids(journal, *seen)  # all but the newest are duplicates
        assert seen == ids(journal.read(0, 100))
        assert [1, 2, 3, 4, 5] == [event.seq for event in journal.read(0, 100)]


def test_an_id_is_known_for_a_day_even_if_the_clock_jumps_ahead_by_one(tmp_path: Path, clock: Clock) -> None:
    with archiving(tmp_path / "j.db", keep_s=60) as journal:
        keep_ids(journal, "a")
        deliver_all(journal)
        clock.move(DAY)
        until(lambda: bodies(journal) == [], "the body is gone")
        looked_through(journal)
        one = pending(payload("a"))
        journal.append(one)
        journal.flush()
        assert one.duplicate


def test_a_clock_that_was_60_days_behind_forgets_nothing_when_it_is_put_right(tmp_path: Path, clock: Clock) -> None:
    clock.jump(-60 * DAY)
    with archiving(tmp_path / "j.db", keep_s=60) as journal:
        keep_ids(journal, "a")
        deliver_all(journal)
        clock.jump(60 * DAY)
        until(lambda: bodies(journal) == [], "the body is gone")
        looked_through(journal)
        assert ["a"] == known(journal)
        clock.move(2.1 * DAY)
        until(lambda: known(journal) == [], "the id is gone")
