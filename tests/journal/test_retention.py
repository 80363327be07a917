"""What leaves the journal, what never does, and what happens when it is full."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from listener.journal import Cursor, Journal
from tests.journal.keeping import deliver_all, ids, keep, keep_ids, opened, payload, pending, rows, until

HOUR_MS = 3_600_000
DAY = 86_400.0


class Clock:
    """The wall clock, moved by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._real, self._ahead = time.time_ns, 0
        monkeypatch.setattr(time, "time_ns", lambda: self._real() + self._ahead)

    def move(self, seconds: float) -> None:
        self._ahead += int(seconds * 1e9)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("listener.journal.writer.IDLE", 0.01)
    for name in ("EVERY", "WHILE_FULL", "WHILE_BUSY", "FROM_THE_START_EVERY"):
        monkeypatch.setattr(f"listener.journal.retention.{name}", 0.0)


@contextmanager
def archiving(path: Path, *sinks: str, **settings: object) -> Iterator[Journal]:
    with opened(path, **settings) as journal:
        journal.attach((sink, True) for sink in (sinks or ("archive",)))
        yield journal


def bodies(journal: Journal) -> list[str]:
    return [one for (one,) in rows(journal.path, "SELECT event_id FROM events WHERE payload IS NOT NULL ORDER BY seq")]


def known(journal: Journal) -> list[str]:
    return [one for (one,) in rows(journal.path, "SELECT event_id FROM events ORDER BY seq")]


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


# Full

BIG = "x" * 20_000
MIB = 2**20


def fill(journal: Journal, most: int = 500) -> list[str]:
    """Events until one is refused; the ids of those that were kept."""
    kept: list[str] = []
    for number in range(most):
        if keep(journal, payload(f"fill{number}", text=BIG)) != [200]:
            return kept
        kept.append(f"fill{number}")
    return kept


def test_full_of_undelivered_events_refuses_new_ones_until_there_is_room(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with archiving(tmp_path / "j.db", max_size=MIB) as journal:
        kept = fill(journal)
        assert 20 < len(kept) < 500
        assert journal.retention.is_full
        assert [500, 200] == keep(journal, payload("new"), payload(kept[0], text=BIG))  # duplicates need no room
        assert [500, 500] == keep(journal, b"hello", b"hello")
        assert kept == ids(journal.read(0, 1000))

        journal.advance("archive", Cursor(len(kept)))
        until(lambda: not journal.retention.is_full, "there is room")
        assert [200] == keep_ids(journal, "new")
    told = capsys.readouterr().out
    assert 1 == told.count("the journal is full")
    assert 1 == told.count("the journal has room again")


def test_room_is_made_of_what_is_delivered_the_oldest_first_and_nothing_is_refused(tmp_path: Path) -> None:
    with archiving(tmp_path / "j.db", max_size=MIB) as journal:
        for number in range(300):
            assert [200] == keep(journal, payload(f"e{number}", text=BIG)), number
            journal.advance("archive", Cursor(journal.last_seq))
        left = bodies(journal)
        assert [f"e{n}" for n in range(300 - len(left), 300)] == left
        assert [200] == keep(journal, payload("e0", text=BIG))  # its id is not forgotten
        assert 300 == journal.last_seq


def test_room_is_made_in_the_middle_of_a_burst(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With thousands of rows that have no body any more before those that have."""
    monkeypatch.setattr("listener.journal.retention.WINDOW", 100)
    with archiving(tmp_path / "j.db", max_size=4 * MIB) as journal:
        keep_ids(journal, *(f"small{n}" for n in range(1000)))
        deliver_all(journal)
        journal.do(lambda connection: connection.execute("UPDATE events SET payload = NULL") and None)
        for number in range(300):
            assert [200] == keep(journal, payload(f"e{number}", text=BIG)), number
            journal.advance("archive", Cursor(journal.last_seq))


def test_the_limit_counts_pages_in_use(tmp_path: Path) -> None:
    with archiving(tmp_path / "j.db", max_size=MIB) as journal:
        fill(journal)
        used = journal.retention.used
        deliver_all(journal)
        until(lambda: journal.retention.used < 0.95 * MIB, "pages are free")
        assert MIB <= used < 1.1 * MIB
        ((pages, free),) = rows(
            journal.path, "SELECT page_count, freelist_count FROM pragma_page_count, pragma_freelist_count"
        )
        assert free > 0
        assert pages * 4096 >= used


# Clocks that jump


def test_a_clock_that_jumps_back_or_ahead_by_a_day_loses_and_repeats_nothing(tmp_path: Path, clock: Clock) -> None:
    with archiving(tmp_path / "j.db", keep_s=2 * DAY) as journal:
        seen: list[str] = []
        for jump in (0, -HOUR_MS / 1000, DAY, -DAY, 0):
            clock.move(jump)
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
