"""One sink's worker: outcomes, attempts, dead letters, and where it goes on."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from listener.event import Received
from listener.journal import Cursor, Pending, redelivery
from listener.journal.reading import dead_letters, reading
from listener.sinks.base import Closed, Line, LineRejected, LinesWritten, NotWritten, Outcome, Retry
from tests.delivery.working import QUICK, Scripted, config, drained, take, worker_of, working
from tests.journal.keeping import keep, keep_ids, opened, payload, rows, unformattable, until

ABC = ["a", "b", "c"]


def letters(path: Path) -> list[tuple[str, str | None, str, int]]:
    with reading(path) as connection:
        return [(one.sink, one.event_id, one.reason, one.attempts) for one in dead_letters(connection)]


def test_everything_in_order_and_the_cursor_after_it(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal:
        keep_ids(journal, *ABC)
        sink = Scripted()
        with working(journal, sink) as worker:
            until(lambda: sink.ids == ABC, "what was there")
            keep_ids(journal, "d")
            until(lambda: sink.ids == [*ABC, "d"], "what came")
            until(lambda: worker.state.delivered == 4, "it is counted")
        journal.flush()
        assert [(4,)] == rows(journal.path, "SELECT seq FROM cursors")


def test_a_part_of_a_batch(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal:
        keep_ids(journal, *ABC)
        sink = Scripted(lambda lines: LinesWritten(2), lambda lines: LinesWritten(1, "there"))
        with working(journal, sink) as worker:
            drained(worker)
            assert (ABC, 2) == (sink.ids, sink.attempts)
            assert Cursor(3, "there") == worker.cursor


def test_tried_again_until_it_works_and_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with opened(tmp_path / "j.db") as journal:
        keep_ids(journal, *ABC)
        sink = Scripted(*[lambda lines: NotWritten("no route")] * 5)
        with working(journal, sink) as worker:
            until(lambda: sink.ids == ABC, "it works")
            until(lambda: worker.state.failing_since is None, "it says so")
            assert (5, None) == (worker.state.retries, worker.state.last_error)
    told = capsys.readouterr().out
    assert 1 == told.count("a sink fails")
    assert 1 == told.count("the sink works again")
    assert [] == letters(tmp_path / "j.db")


def test_rejected_becomes_a_dead_letter_and_the_worker_goes_on(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal:
        keep_ids(journal, *ABC)
        sink = Scripted(lambda lines: NotWritten("later"), lambda lines: LineRejected(1, "400 Bad Request \ud83d"))
        with working(journal, sink) as worker:
            drained(worker)
            assert 1 == worker.state.dead_letters
        assert [("archive", "b", "400 Bad Request ?", 2)] == letters(journal.path)
        assert ["c"] == sink.ids  # "a" was delivered with the rejection
        journal.flush()
        assert [(3,)] == rows(journal.path, "SELECT seq FROM cursors")


def test_given_up_after_a_time_each_event_is_a_dead_letter(tmp_path: Path) -> None:
    wanted = config(retry=Retry(max_delay=0.02, give_up_after=0.1))

    def down(lines: Sequence[Line]) -> Outcome:
        return NotWritten("down")

    with opened(tmp_path / "j.db") as journal:
        keep_ids(journal, *ABC)
        sink = Scripted(*[down] * 10_000)
        with working(journal, sink, wanted) as worker:
            until(lambda: worker.state.dead_letters == 3, "it gives up")
            sink.answers.clear()
            keep_ids(journal, "d")
            until(lambda: sink.ids == ["d"], "it goes on")
        found = letters(journal.path)
        assert [("archive", one, "given up: down") for one in ABC] == [one[:3] for one in found]
        assert found[0][3] > 2


def test_a_sink_that_can_not_be_opened_never_gives_up(tmp_path: Path) -> None:
    class Locked(Scripted):
        opens = 0

        def open(self, position: str, upcoming: Any) -> LinesWritten:
            self.opens += 1
            if self.opens < 20:
                raise PermissionError("not yet")
            return LinesWritten(0)

    sink = Locked()
    with opened(tmp_path / "j.db") as journal:
        keep_ids(journal, *ABC)
        with working(journal, sink, config(retry=Retry(max_delay=0.01, give_up_after=0.01))):
            until(lambda: sink.ids == ABC, "it is open")
    assert [] == letters(tmp_path / "j.db")


def test_what_can_not_be_formatted_is_a_dead_letter(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal:
        assert [200] * 3 == keep(journal, *[content(n) for n in range(3)])
        sink = Scripted()
        with working(journal, sink) as worker:
            drained(worker)
        assert ["e0", "e2"] == sink.ids
        ((_, event, reason, _),) = letters(journal.path)
        assert ("e1", True) == (event, reason.startswith("not JSON"))


def content(n: int) -> bytes | Pending:
    return unformattable("e1") if n == 1 else payload(f"e{n}")


def test_a_bug_in_a_format_costs_one_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def buggy(event: Received) -> bytes:
        return {"a": b"{}", "c": b"{}"}[event.event_id]

    monkeypatch.setattr("listener.delivery.formatting.FORMATS", {"record": buggy})
    with opened(tmp_path / "j.db") as journal:
        keep_ids(journal, *ABC)
        sink = Scripted()
        with working(journal, sink) as worker:
            drained(worker)
        assert ["a", "c"] == sink.ids
        assert [("archive", "b", "KeyError in the format record", 1)] == letters(journal.path)


def test_a_place_that_must_be_kept_is_on_disk_before_the_next_delivery(tmp_path: Path) -> None:
    kept: list[Any] = []
    path = tmp_path / "j.db"

    def note(lines: Sequence[Line]) -> Outcome:
        kept.append(rows(path, "SELECT seq, position FROM cursors"))
        return LinesWritten(len(lines))

    with opened(path) as journal:
        keep_ids(journal, *ABC)
        sink = Scripted(
            lambda lines: LinesWritten(0, "a new file", keep_now=True),
            lambda lines: LinesWritten(1, "one", keep_now=True),
            note,
        )
        with working(journal, sink) as worker:
            drained(worker)
    assert [[(1, "one")]] == kept


def test_closed_ends_this_sink_and_holds_nothing_back(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal:
        keep_ids(journal, *ABC)
        sink = Scripted(lambda lines: Closed(2))
        ended: list[Any] = []
        worker = worker_of(journal, sink, on_end=ended.append)
        worker.start()
        until(lambda: ended == [worker], "it has ended")
        assert (True, False, 2) == (worker.state.closed, worker.died, worker.cursor.seq)
        assert set() == journal.retention.holding


def test_a_closed_end_is_noticed_while_nothing_comes(tmp_path: Path) -> None:
    class Gone(Scripted):
        def idle(self) -> Closed | None:
            return Closed()

    with opened(tmp_path / "j.db") as journal:
        worker = worker_of(journal, Gone())
        worker.start()
        assert worker.join(5)
        assert worker.state.closed


def test_a_limit_is_the_number_of_delivered_events(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal:
        keep_ids(journal, *ABC)
        sink = Scripted(lambda lines: LineRejected(0, "no"))
        worker = worker_of(journal, sink, limit=1)
        worker.start()
        assert worker.join(5)
        assert ["b"] == sink.ids


def test_a_limit_that_a_replay_used_up_skips_nothing(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal:
        keep_ids(journal, *ABC)
        with working(journal, Scripted()) as worker:
            drained(worker)
        journal.flush()
        with reading(journal.path) as connection:
            order, _ = redelivery.replay(connection, "archive", 0, redelivery.ALWAYS)
        journal.do(redelivery.placing([order]))
        keep_ids(journal, "d", "e")
        sink = Scripted()
        worker = worker_of(journal, sink, limit=2)
        worker.start()
        assert worker.join(5)
        assert [*ABC, "d"] == sink.ids
        assert 4 == worker.cursor.seq


def test_stopping_drains_and_abandoning_does_not(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal:
        keep_ids(journal, *ABC)
        sink = Scripted(*[lambda lines: LinesWritten(1)] * 2)
        worker = worker_of(journal, sink)
        worker.stop()
        worker.start()
        assert worker.join(5)
        assert ABC == sink.ids

        keep_ids(journal, "d")
        stuck = Scripted(*[lambda lines: NotWritten("down")] * 1000)
        worker = worker_of(journal, stuck)
        worker.start()
        until(lambda: stuck.attempts > 1, "it tries")
        worker.abandon()
        assert worker.join(5)
        assert (Cursor(3), []) == (worker.cursor, letters(journal.path))


def test_a_journal_that_can_not_be_written_for_a_while_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dead letter that finds no room is written later, and no event is skipped meanwhile."""
    monkeypatch.setattr("listener.delivery.worker.JOURNAL_PAUSE", 0.01)
    with opened(tmp_path / "j.db") as journal:
        keep_ids(journal, *ABC)
        no: Any = lambda lines: LineRejected(0, "no") if lines[0].event.event_id == "a" else take(lines)  # noqa: E731
        sink = Scripted(*[no] * 10_000)
        worker = worker_of(journal, sink)
        journal.writer._connection.execute("PRAGMA query_only=ON")
        worker.start()
        until(lambda: "readonly" in str(worker.state.last_error), "it fails")
        assert [] == sink.ids
        journal.writer._connection.execute("PRAGMA query_only=OFF")
        until(lambda: sink.ids == ["b", "c"], "it goes on")
        drained(worker)
        assert [("archive", "a", "no")] == [one[:3] for one in letters(journal.path)]


def test_numbers_without_events_are_passed_over(tmp_path: Path) -> None:
    """After damage: else the worker would neither rest nor ever be done."""
    with opened(tmp_path / "j.db") as journal:
        keep_ids(journal, *ABC)
        journal.do(lambda c: c.execute("UPDATE sqlite_sequence SET seq=1000 WHERE name='events'") and None)
    with opened(tmp_path / "j.db") as journal:
        sink = Scripted()
        with working(journal, sink) as worker:
            until(lambda: worker.cursor.seq == 1000, "it passes over them")
            keep_ids(journal, "d")
            until(lambda: sink.ids == [*ABC, "d"], "it goes on")
            assert 1001 == sink.got[-1].event.seq
            drained(worker)


def test_a_worker_leaves_no_connection_behind(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal:
        keep_ids(journal, *ABC)
        before = len(journal._connections)
        for name in ("one", "two"):
            with working(journal, Scripted(), config(name)) as worker:
                drained(worker)
        assert before == len(journal._connections)


def test_retries_wait_longer_and_at_random(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    class Impatient(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            slept.append(timeout or 0.0)
            return False

    with opened(tmp_path / "j.db") as journal:
        keep_ids(journal, "a")
        sink = Scripted(*[lambda lines: NotWritten("down")] * 40)
        with working(journal, sink, config(retry=Retry(max_delay=60.0)), abandon=Impatient()) as worker:
            drained(worker)
    limits = [min(60.0, 0.1 * 2**n) for n in range(40)]
    assert all(0 <= one <= limit for one, limit in zip(slept, limits, strict=False))
    assert 40 == len(slept)
    assert len(set(slept)) > 30
    assert max(slept) > 10
    assert QUICK.max_delay == 0.02
