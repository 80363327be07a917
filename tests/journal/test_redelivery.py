"""Replays and retries as the journal keeps them."""

from pathlib import Path
from typing import Any

import pytest

from listener.journal import Cursor, Journal, Pending, Redelivery, redelivery
from listener.journal.query import seq_at
from listener.journal.reading import dead_letters, reading
from tests.journal.keeping import deliver_all, ids, keep_ids, opened, pending, rows

HOUR_MS = 3_600_000


@pytest.fixture
def times(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """When the next events come, in hours."""
    hours: list[int] = []

    def at_its_time(content: bytes) -> Pending:
        event = pending(content)
        event.received_ms = hours.pop(0) * HOUR_MS
        return event

    monkeypatch.setattr("tests.journal.keeping.pending", at_its_time)
    return hours


def plan_replay(journal: Journal, since: int, until: int) -> tuple[Redelivery, int]:
    with reading(journal.path) as connection:
        return redelivery.replay(connection, "archive", since * HOUR_MS, until * HOUR_MS)


def order_replay(journal: Journal, since: int, until: int) -> Redelivery:
    order, _ = plan_replay(journal, since, until)
    journal.do(lambda connection: redelivery.place(connection, order))
    return next_redelivery(journal)


def next_redelivery(journal: Journal) -> Redelivery:
    order = journal.next_redelivery("archive")
    assert order
    return order


def everything(journal: Journal, order: Redelivery) -> list[str]:
    found, at = [], order.done_seq
    while at < order.last_seq:
        events, at = journal.events_of(order, at, 2)
        found += ids(events)
    return found


def test_a_replay_is_of_what_came_in_that_time(tmp_path: Path, times: list[int]) -> None:
    times += [1, 2, 3, 4, 5]
    with opened(tmp_path / "j.db") as journal:
        journal.attach([("archive", True)])
        keep_ids(journal, *"abcde")
        deliver_all(journal)
        assert ["b", "c", "d"] == everything(journal, order_replay(journal, 2, 5))
        assert 3 == plan_replay(journal, 2, 5)[1]
        assert 0 == plan_replay(journal, 6, 9)[1]


def test_a_clock_that_went_back_hides_nothing_from_a_replay(tmp_path: Path, times: list[int]) -> None:
    times += [10, 11, 12, 5, 6, 7, 13]
    with opened(tmp_path / "j.db") as journal:
        journal.attach([("archive", True)])
        keep_ids(journal, *"abcdefg")
        deliver_all(journal)
        assert ["d", "e", "f"] == everything(journal, order_replay(journal, 5, 8))
        early = Redelivery(0, "archive", "replay", 11 * HOUR_MS, 1 << 60, 0, 7, started=False)
        assert ["b", "c", "g"] == everything(journal, early)


def test_what_the_sink_has_yet_to_get_is_not_replayed(tmp_path: Path, times: list[int]) -> None:
    times += [1, 1, 1]
    with opened(tmp_path / "j.db") as journal:
        journal.attach([("archive", True)])
        keep_ids(journal, *"abc")
        journal.advance("archive", Cursor(2))
        journal.flush()
        assert ["a", "b"] == everything(journal, order_replay(journal, 0, 9))


def test_one_event_can_be_replayed(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal:
        journal.attach([("archive", True)])
        keep_ids(journal, *"abc")
        deliver_all(journal)
        with reading(journal.path) as connection:
            order, count = redelivery.replay_of(connection, "archive", "b")
            assert 0 == redelivery.replay_of(connection, "archive", "nobody")[1]
        assert (1, ["b"]) == (count, everything(journal, order))


def test_progress_is_kept_with_the_sinks_place(tmp_path: Path, times: list[int]) -> None:
    times += [1, 1, 1]
    with opened(tmp_path / "j.db") as journal:
        journal.attach([("archive", True)])
        keep_ids(journal, *"abc")
        deliver_all(journal)
        order = order_replay(journal, 0, 9)
        journal.advance("archive", Cursor(3, "before"))
        journal.begin(order)
    with opened(tmp_path / "j.db") as journal:
        order = next_redelivery(journal)
        assert (0, 1) == (order.done_seq, order.started)
        assert {"archive": Cursor(3, "before")} == journal.attach([("archive", True)])
        journal.progress(order, 2, Cursor(3, "between"), [1, 2])
        order = next_redelivery(journal)
        assert (2, 0, ["c"]) == (order.done_seq, order.started, everything(journal, order))
        journal.progress(order, 3, Cursor(3, "after"), [3])
        assert None is journal.next_redelivery("archive")
    with opened(tmp_path / "j.db") as journal:
        assert {"archive": Cursor(3, "after")} == journal.attach([("archive", True)])


def test_the_interrupted_order_comes_first(tmp_path: Path, times: list[int]) -> None:
    times += [1, 1]
    with opened(tmp_path / "j.db") as journal:
        journal.attach([("archive", True)])
        keep_ids(journal, *"ab")
        deliver_all(journal)
        order, _ = plan_replay(journal, 0, 9)
        first, second = (journal.do(lambda connection: redelivery.place(connection, order)) for _ in range(2))
        placed = journal.next_redelivery("archive")
        assert placed
        assert first == placed.id
        journal.do(lambda connection: connection.execute("UPDATE orders SET started=1 WHERE id=?", (second,)) and None)
        placed = journal.next_redelivery("archive")
        assert placed
        assert second == placed.id


def letters(journal: Journal, sink: str | None = None) -> list[Any]:
    with reading(journal.path) as connection:
        return [(one.sink, one.event_id, one.reason, one.attempts) for one in dead_letters(connection, sink)]


def retry(journal: Journal, sink: str) -> int:
    with reading(journal.path) as connection:
        wanted = [one.id for one in dead_letters(connection, sink)]
    return journal.do(lambda connection: redelivery.place_retry(connection, sink, wanted))


def buried(tmp_path: Path) -> Journal:
    journal = Journal(tmp_path / "j.db", inspect_after=3600)
    journal.start()
    journal.attach([("archive", True), ("other", True)])
    keep_ids(journal, *"abc")
    journal.dead_letter("archive", 1, "no", 1, Cursor(1))
    journal.dead_letter("archive", 3, "never", 2, Cursor(3))
    journal.dead_letter("other", 3, "no", 1, Cursor(3))
    return journal


def test_dead_letters_are_listed_by_sink(tmp_path: Path) -> None:
    journal = buried(tmp_path)
    assert [("archive", "a", "no", 1), ("archive", "c", "never", 2)] == letters(journal, "archive")
    assert 3 == len(letters(journal))
    journal.close()


def test_a_retry_is_of_the_marked_dead_letters_and_what_was_delivered_is_none_any_more(tmp_path: Path) -> None:
    journal = buried(tmp_path)
    assert 2 == retry(journal, "archive")
    assert 0 == retry(journal, "archive")  # they are being retried already
    order = journal.next_redelivery("archive")
    assert order
    assert None is journal.next_redelivery("other")
    assert ["a", "c"] == everything(journal, order)
    journal.progress(order, 1, Cursor(3), [1])
    assert [("archive", "c", "never", 2)] == letters(journal, "archive")

    journal.dead_letter("archive", 3, "still not", 1, Cursor(3))
    journal.progress(order, 3, Cursor(3))
    assert None is journal.next_redelivery("archive")
    assert [("archive", "c", "still not", 3)] == letters(journal, "archive")
    assert 1 == retry(journal, "archive")
    journal.close()


def test_a_retry_of_nothing_leaves_no_order(tmp_path: Path) -> None:
    journal = buried(tmp_path)
    assert 0 == journal.do(lambda connection: redelivery.place_retry(connection, "archive", [99]))
    assert [] == rows(journal.path, "SELECT * FROM orders")
    journal.close()


@pytest.mark.parametrize("missing", [(), (1, 2), (3,), (5, 6), (1, 2, 3, 4, 5, 6)])
def test_a_time_is_found_whatever_is_missing(tmp_path: Path, times: list[int], missing: tuple[int, ...]) -> None:
    times += [1, 2, 2, 4, 5, 6]
    with opened(tmp_path / "j.db") as journal:
        keep_ids(journal, *"abcdef")
        gone = [(seq,) for seq in missing]
        journal.do(lambda connection: connection.executemany("DELETE FROM events WHERE seq=?", gone) and None)
        left = rows(journal.path, "SELECT seq, received_ms / 3600000 FROM events")
        with reading(journal.path) as connection:
            for hour in range(8):
                found = seq_at(connection, hour * HOUR_MS)
                assert [seq for seq, at in left if at >= hour] == [seq for seq, _ in left if seq >= found]
