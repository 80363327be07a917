"""What leaves the journal, what never does, and what happens when it is full."""

import time
from pathlib import Path

import pytest

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

HOUR = 3600.0
DAY = 86_400.0


class Clock:
    """The wall clock, moved by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._real, self._ahead = time.time_ns, 0
        monkeypatch.setattr(time, "time_ns", lambda: self._real() + self._ahead)

    def move(self, journal: Journal, seconds: float) -> None:
        """Time passes, and the journal looks around each hour."""
        while seconds > 0:
            self.jump(min(seconds, HOUR))
            seconds -= HOUR
            looked_through(journal)

    def jump(self, seconds: float) -> None:
        """Somebody sets the clock."""
        self._ahead += int(seconds * 1e9)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def looked_through(journal: Journal) -> None:
    """Everything was looked at since now."""
    journal.retention.look_soon()
    journal.flush()  # the writer looks after the commit
    journal.flush()


def test_delivered_bodies_leave_after_keep_their_ids_a_day_later(tmp_path: Path, clock: Clock) -> None:
    with archiving(tmp_path / "j.db", keep_s=2 * DAY) as journal:
        keep_ids(journal, "a", "b")
        deliver_all(journal)
        clock.move(journal, 1.9 * DAY)
        looked_through(journal)
        assert ["a", "b"] == bodies(journal)

        clock.move(journal, 0.2 * DAY)
        assert [] == bodies(journal)
        assert ["a", "b"] == known(journal, "a", "b")
        assert [200] == keep_ids(journal, "a")  # still known, so not kept twice
        assert 2 == journal.last_seq

        clock.move(journal, 1.9 * DAY)  # counted in whole days
        assert [] == known(journal, "a", "b")


def test_what_is_not_delivered_stays_however_old(tmp_path: Path, clock: Clock) -> None:
    with archiving(tmp_path / "j.db", "quick", "down", keep_s=60) as journal:
        keep_ids(journal, "a", "b", "c")
        journal.advance("quick", Cursor(3))
        journal.advance("down", Cursor(1))
        journal.flush()
        clock.jump(400 * DAY)
        looked_through(journal)
        assert ["b", "c"] == bodies(journal)


def test_a_removed_sink_holds_nothing_back_and_is_forgotten_after_30_days(tmp_path: Path, clock: Clock) -> None:
    with archiving(tmp_path / "j.db", "archive", "removed") as journal:
        keep_ids(journal, "a")
    with archiving(tmp_path / "j.db", "archive", keep_s=60) as journal:
        deliver_all(journal)
        clock.jump(29 * DAY)
        looked_through(journal)
        assert [] == bodies(journal)
        looked_through(journal)
        assert {"archive", "removed"} == {sink for (sink,) in rows(journal.path, "SELECT sink FROM cursors")}
        clock.jump(2 * DAY)
    with archiving(tmp_path / "j.db", "archive") as journal:
        looked_through(journal)
        assert [("archive",)] == rows(journal.path, "SELECT sink FROM cursors")


def test_a_closed_sink_holds_nothing_back(tmp_path: Path, clock: Clock) -> None:
    with archiving(tmp_path / "j.db", "archive", "stdout", keep_s=60) as journal:
        keep_ids(journal, "a")
        deliver_all(journal)
        journal.retention.release("stdout")
        clock.jump(DAY)
        looked_through(journal)
        assert [] == bodies(journal)


def test_a_dead_letter_keeps_its_body_until_it_is_discarded(tmp_path: Path, clock: Clock) -> None:
    with archiving(tmp_path / "j.db", keep_s=60) as journal:
        keep_ids(journal, "a", "b", "c")
        journal.dead_letter("archive", 2, "no", 1, Cursor(2))
        deliver_all(journal)
        clock.jump(400 * DAY)
        looked_through(journal)
        assert ["b"] == bodies(journal)
        journal.do(lambda connection: connection.execute("DELETE FROM dead_letters") and None)
        looked_through(journal)
        assert [] == bodies(journal)


def test_what_is_kept_aside_stays(tmp_path: Path, clock: Clock) -> None:
    with archiving(tmp_path / "j.db", keep_s=60) as journal:
        keep(journal, b"hello")
        clock.jump(400 * DAY)
        looked_through(journal)
        looked_through(journal)
        assert [(b"hello",)] == rows(journal.path, "SELECT payload FROM aside")


def test_an_ordered_replay_keeps_its_events(tmp_path: Path, clock: Clock) -> None:
    with archiving(tmp_path / "j.db", keep_s=60) as journal:
        keep_ids(journal, "a", "b", "c")
        deliver_all(journal)
        order = "INSERT INTO orders VALUES (1, 'archive', 'replay', 0, 9, 1, 3, 0)"
        journal.do(lambda connection: connection.execute(order) and None)
        clock.jump(DAY)
        looked_through(journal)
        assert ["b", "c"] == bodies(journal)


def test_pruning_gives_way_to_events(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much there is to remove, an event waits for one slice at most."""
    for name in ("SLICE_MAX", "SLICE_MIN"):
        monkeypatch.setattr(f"listener.journal.retention.{name}", 4)
    with archiving(tmp_path / "j.db", keep_s=60) as journal:
        keep_ids(journal, *(str(n) for n in range(400)))
        deliver_all(journal)
        clock.jump(DAY)
        journal.retention.rows = 4
        journal.retention.look_soon()
        until(lambda: len(bodies(journal)) < 400, "it has begun")
        assert [200] == keep_ids(journal, "new")
        assert "new" in bodies(journal)
        assert len(bodies(journal)) > 10
        until(lambda: bodies(journal) == ["new"], "the rest is gone")


def test_a_slow_disk_makes_the_slices_shorter(tmp_path: Path) -> None:
    with archiving(tmp_path / "j.db") as journal:
        retention = journal.retention
        retention.rows = 1024
        for _ in range(10):
            retention.pace(1.0)
        assert 16 == retention.rows
        for _ in range(10):
            retention.pace(0.001)
        assert 1024 == retention.rows


# Clocks that jump


def test_a_clock_that_jumps_back_or_ahead_by_a_day_loses_and_repeats_nothing(tmp_path: Path, clock: Clock) -> None:
    with archiving(tmp_path / "j.db", keep_s=2 * DAY) as journal:
        seen: list[str] = []
        for jump in (0, -HOUR, DAY, -DAY, 0):
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
        clock.jump(DAY)
        looked_through(journal)
        assert [] == bodies(journal)
        looked_through(journal)
        one = pending(payload("a"))
        journal.append(one)
        journal.flush()
        assert one.duplicate


@pytest.mark.parametrize("restarted", [False, True])
def test_a_clock_that_was_60_days_behind_forgets_nothing_when_it_is_put_right(
    tmp_path: Path, clock: Clock, restarted: bool
) -> None:
    """Held in the journal, not in memory: a restart in between forgets nothing either."""
    clock.jump(-60 * DAY)
    with archiving(tmp_path / "j.db", keep_s=60) as journal:
        keep_ids(journal, "a")
        deliver_all(journal)
        looked_through(journal)
        if not restarted:
            clock.jump(60 * DAY)
            looked_through(journal)
            assert [] == bodies(journal)
    if restarted:
        clock.jump(60 * DAY)
    with archiving(tmp_path / "j.db", keep_s=60) as journal:
        clock.move(journal, 1.9 * DAY)
        assert ["a"] == known(journal, "a")
        clock.move(journal, 0.2 * DAY)
        assert [] == known(journal, "a")


def test_a_clock_put_back_ends_a_hold_in_time(tmp_path: Path, clock: Clock) -> None:
    with archiving(tmp_path / "j.db", keep_s=60) as journal:
        keep_ids(journal, "a")
        looked_through(journal)
        for jump in (1000 * DAY, -1000 * DAY):
            clock.jump(jump)
            looked_through(journal)
        clock.move(journal, 3.1 * DAY)
        assert [] == known(journal, "a")
