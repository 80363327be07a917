"""When the WAL is moved into the database: not before there is something in it that surely was not moved yet."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from listener.journal import checkpoint
from listener.journal.checkpoint import WalProgress
from tests.journal.keeping import keep, keep_ids, opened, payload, rows, until


@contextmanager
def watched(on_checkpoint: Callable[[], None]) -> Iterator[sqlite3.Connection]:
    """A connection that tells when a checkpoint begins on it, and knows no other."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.set_trace_callback(lambda sql: on_checkpoint() if "wal_checkpoint" in sql else None)
        yield connection


def test_one_begins_only_after_a_transaction_that_began_after_the_last() -> None:
    """SQLite up to 3.51.2 may corrupt the file otherwise (the WAL-reset bug)."""
    progress, done = WalProgress(begun=1), [0]

    def begins() -> None:
        done[0] += 1
        progress.begun += 1  # a transaction begins while it goes on: its frames may have been moved

    with watched(begins) as connection:
        progress.note()
        assert progress.checkpoint(connection)
        progress.wrote = 2  # the one that had begun meanwhile
        assert not progress.checkpoint(connection)
        assert 1 == done[0]
        progress.begun = 3
        progress.note()
        assert progress.checkpoint(connection)
        assert 2 == done[0]


@pytest.mark.parametrize("what", ["something that no checkpoint has moved", "a stop"])
def test_the_thread_waits_for(what: str) -> None:
    progress, stop = WalProgress(begun=1), threading.Event()
    progress.grown.set()
    waiting = threading.Thread(target=progress.wait, args=(stop,), daemon=True)
    waiting.start()
    waiting.join(0.05)
    assert waiting.is_alive()
    if what == "a stop":
        stop.set()
        progress.grown.set()
    else:
        progress.note()
    waiting.join(5)
    assert not waiting.is_alive()


def test_on_what_one_thread_moved_the_other_does_not_count() -> None:
    moved: list[str] = []
    progress = WalProgress(begun=1, wrote=1)
    with watched(lambda: moved.append("writer")) as writer, watched(lambda: moved.append("other")) as other:
        assert progress.checkpoint(writer)
        assert not progress.checkpoint(other)
    assert ["writer"] == moved


def test_what_was_moved_is_in_the_database_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "AT_LEAST_EVERY", 0.01)
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
