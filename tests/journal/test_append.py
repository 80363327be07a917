"""Acked means kept, once, in order; nothing that others ask of the writer harms an event."""

import os
import sqlite3
import threading
from pathlib import Path

import pytest

from listener.base.errors import JournalError
from listener.journal import Cursor, Journal, Pending
from listener.journal.query import MAX_BYTES
from tests.journal.keeping import deliver_all, ids, keep, keep_ids, opened, payload, pending, rows, until


def test_kept_is_on_disk_with_the_exact_bytes(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal:
        assert [200, 200] == keep_ids(journal, "a", "b")
        assert [(1, "a", payload("a")), (2, "b", payload("b"))] == rows(
            journal.path, "SELECT seq, event_id, payload FROM kept"
        )


@pytest.mark.parametrize("together", [True, False])
def test_the_same_event_is_kept_once(tmp_path: Path, together: bool) -> None:
    with opened(tmp_path / "j.db") as journal:
        batch = [pending(payload(one)) for one in ("a", "b", "a", "a")]
        for one in batch:
            journal.append(one)
            if not together:
                journal.flush()
        journal.flush()

        assert [200] * 4 == [one.code for one in batch]
        assert [False, False, True, True] == [one.duplicate for one in batch]
        assert ["a", "b"] == ids(journal.read(0, 10))


def test_the_same_event_is_kept_once_across_restarts(tmp_path: Path) -> None:
    for _ in range(3):
        with opened(tmp_path / "j.db") as journal:
            assert [200] == keep_ids(journal, "a")
            assert 1 == journal.last_seq


def test_what_can_not_be_read_is_kept_aside_every_time_it_comes(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal:
        assert [200, 200, 200] == keep(journal, b"hello", payload("a"), b"hello")
        assert [b"hello", b"hello"] == [p for (p,) in rows(journal.path, "SELECT payload FROM aside")]
        assert ["a"] == ids(journal.read(0, 10))


def test_numbers_are_consecutive_and_never_used_again(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db", keep_s=0) as journal:
        journal.attach([("archive", False)])
        keep_ids(journal, "a", "b", "c")
        deliver_all(journal)
        journal.do(lambda connection: connection.execute("DELETE FROM events") and None)
    with opened(tmp_path / "j.db") as journal:
        keep_ids(journal, "d")
        assert [4] == [event.seq for event in journal.read(0, 10)]


def test_what_queues_up_behind_a_commit_is_committed_together(tmp_path: Path) -> None:
    batches: list[int] = []
    with opened(tmp_path / "j.db") as journal:
        journal.writer.on_settled = lambda batch: batches.append(len(batch))
        begun, go = threading.Event(), threading.Event()

        def wait(_connection: object) -> bool:
            begun.set()
            return go.wait(10)

        blocked = journal.writer.submit(wait)
        assert begun.wait(10)  # an empty queue would not do: the writer may still be taking what comes for this batch
        for number in range(100):
            journal.append(pending(payload(str(number))))
        go.set()
        assert blocked.result(10)
        journal.flush()

    assert [100] == batches


def test_a_lone_event_waits_for_no_timer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CURSOR_DELAY", "IDLE"):
        monkeypatch.setattr(f"listener.journal.writer.{name}", 60.0)
    with opened(tmp_path / "j.db") as journal:
        journal.attach([("archive", False)])
        journal.advance("archive", Cursor(0))  # a cursor that waits for company delays nothing either
        assert [200] == keep_ids(journal, "a")


def test_a_job_that_fails_takes_no_event_with_it(tmp_path: Path) -> None:
    def half(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO aside (received_ms, reason, payload) VALUES (0, '', x'')")
        raise RuntimeError("a bug")

    with opened(tmp_path / "j.db") as journal:
        go = threading.Event()
        journal.writer.submit(lambda connection: go.wait(10))
        until(lambda: journal.writer.backlog() == 0, "the writer is busy")
        one = pending(payload("a"))
        journal.append(one)
        bad, worse, good = (
            journal.writer.submit(half),
            journal.writer.submit(lambda c: c.execute("SELECT nonsense")),
            journal.writer.submit(lambda connection: 7),
        )
        go.set()

        assert 7 == good.result(10)
        assert isinstance(bad.exception(10), RuntimeError)
        assert isinstance(worse.exception(10), sqlite3.OperationalError)
        assert 200 == one.code
        assert [] == rows(journal.path, "SELECT * FROM aside")


def test_an_event_that_can_not_be_stored_is_refused_and_the_writer_goes_on(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal:
        poison = Pending(b"{}", "half a character \ud83d", "type")
        journal.append(poison)
        until(lambda: "surrogates" in str(journal.writer.failing), "it is refused")
        assert 500 == poison.code
        assert [200] == keep_ids(journal, "a")
        assert None is journal.writer.failing


def test_cursors_come_to_disk_by_themselves(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal:
        journal.attach([("archive", False)])
        keep_ids(journal, "a")
        journal.advance("archive", Cursor(1, "here"))
        until(lambda: rows(journal.path, "SELECT seq, position FROM cursors") == [(1, "here")], "the cursor is there")


def test_closing_keeps_what_was_given(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal:
        journal.attach([("archive", True)])
        one = pending(payload("a"))
        journal.append(one)
        journal.advance("archive", Cursor(1, "here"))
    assert 200 == one.code
    with opened(tmp_path / "j.db") as journal:
        assert {"archive": Cursor(1, "here")} == journal.attach([("archive", False)])


def test_a_new_sink_starts_at_now_or_at_the_earliest_and_a_known_one_where_it_was(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal:
        journal.attach([("known", False)])
        keep_ids(journal, "a", "b")
        cursors = journal.attach([("now", False), ("earliest", True), ("known", False)])
        assert {"now": Cursor(2), "earliest": Cursor(0), "known": Cursor(0)} == cursors


def test_a_reader_far_behind_is_given_bounded_batches(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal:
        keep(journal, *[payload(str(n), text="x" * 60_000) for n in range(300)])
    with opened(tmp_path / "j.db") as journal:  # what it wrote itself it would still have in memory
        at, batches = 0, []
        while events := journal.read(at, 256):
            at = events[-1].seq
            batches.append(sum(len(event.payload) for event in events))
        assert 300 == at
        assert 2 == len(batches)
        assert max(batches) < MAX_BYTES + 64 * 70_000


def test_files_are_their_owners_only(tmp_path: Path) -> None:
    with opened(tmp_path / "state" / "j.db") as journal:
        keep_ids(journal, "a")
        modes = {path.name: path.stat().st_mode & 0o777 for path in journal.path.parent.iterdir()}
    assert dict.fromkeys(("j.db", "j.db-wal", "j.db-shm", "j.db.lock"), 0o600) == modes
    assert 0o700 == (tmp_path / "state").stat().st_mode & 0o777


def test_one_journal_has_one_user_by_whatever_name(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "j.db")
    with opened(tmp_path / "j.db"):
        for name in ("j.db", "link.db"):
            with pytest.raises(JournalError, match=rf"another helpdesk-listen \(pid {os.getpid()}\) uses"):
                Journal(tmp_path / name)
    with opened(tmp_path / "link.db"):
        pass
