"""When the WAL is moved into the database: not before there is something in it that surely was not moved yet."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from listener.journal import checkpoint
from listener.journal.checkpoint import Checkpointer, WalProgress
from tests.journal.keeping import keep, keep_ids, opened, payload, rows, until


def test_one_begins_only_after_a_transaction_that_began_after_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite up to 3.51.2 may corrupt the file otherwise (the WAL-reset bug)."""
    for name in ("LOOK", "AT_LEAST_EVERY"):
        monkeypatch.setattr(checkpoint, name, 0.001)
    with opened(tmp_path / "j.db") as journal:
        progress, done = WalProgress(), [0]

        def counted_checkpoint(_connection: object) -> bool:
            done[0] += 1
            progress.begun += 1  # a transaction begins while it goes on: its frames may have been moved
            return True

        monkeypatch.setattr(checkpoint, "checkpoint", counted_checkpoint)
        checkpointer = Checkpointer(journal.path, progress, lambda: None, lambda: checkpoint.CAP)
        checkpointer.start()
        progress.begun = 1
        progress.note()
        until(lambda: done[0] == 1, "the first")
        progress.wrote = 2  # the one that had begun meanwhile
        progress.grown.set()
        until(lambda: not progress.grown.is_set(), "it sees that")
        assert 1 == done[0]

        progress.begun = 3
        progress.note()
        until(lambda: done[0] == 2, "the second")
        checkpointer.stop(5)


def test_on_what_one_thread_moved_the_other_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    moved: list[object] = []

    def counted(connection: object) -> bool:
        moved.append(connection)
        return True

    monkeypatch.setattr(checkpoint, "checkpoint", counted)
    progress = WalProgress(begun=1, wrote=1)
    with closing(sqlite3.connect(":memory:")) as writer, closing(sqlite3.connect(":memory:")) as other:
        assert progress.checkpoint(writer)
        assert not progress.checkpoint(other)
        assert [writer] == moved


def test_what_was_moved_is_in_the_database_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOOK", "AT_LEAST_EVERY"):
        monkeypatch.setattr(checkpoint, name, 0.01)
    with opened(tmp_path / "j.db") as journal:
        keep_ids(journal, "a")
        until(lambda: b'"event_id":"a"' in journal.path.read_bytes(), "it is moved")


def test_a_wal_that_is_too_large_is_moved_by_the_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "LOOK", 60.0)  # no other thread does it
    with opened(tmp_path / "j.db", max_size=2**20) as journal:
        for number in range(30):
            keep(journal, payload("a" if not number else f"e{number}", text="x" * 20_000))
        until(lambda: b'"event_id":"a"' in journal.path.read_bytes(), "it is moved")
        assert ("a",) in rows(journal.path, "SELECT event_id FROM events")
