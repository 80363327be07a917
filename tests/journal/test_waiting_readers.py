"""Who waits for the journal is never left waiting: what no event tells of ends a wait, too."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from listener.journal import checkpoint
from listener.journal.checkpoint import WalProgress
from tests.journal.keeping import keep_ids, opened, until

FOR_EVER = 3600.0


def test_a_wait_that_is_over_before_it_begins_returns_at_once(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal:
        assert not journal.wait(0, FOR_EVER, lambda: True)
        keep_ids(journal, "a")
        assert journal.wait(0, FOR_EVER, lambda: True)


def test_what_a_job_changes_is_told(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal:
        told: list[int] = []
        journal.on_change(lambda: told.append(journal.changes))
        before = journal.changes
        journal.do(lambda connection: connection.execute("UPDATE cursors SET seq = seq"))
        until(lambda: told, "it is told")
        assert before + 1 == told[0]


def test_what_another_process_changes_is_told(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal:
        until(lambda: journal.changes > 0, "the first look")
        told: list[int] = []
        journal.on_change(lambda: told.append(journal.changes))
        with closing(sqlite3.connect(journal.path)) as other, other:
            other.execute("INSERT INTO marks VALUES ('x', 1)")
        until(lambda: told, "it is told")


def test_a_small_log_is_moved_late_and_nobody_looks_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks, real = list[Path](), checkpoint.wal_size

    def look(path: Path) -> int:
        looks.append(path)
        return real(path)

    monkeypatch.setattr(checkpoint, "LOOK", 0.001)
    monkeypatch.setattr(checkpoint, "AT_LEAST_EVERY", 1.0)
    monkeypatch.setattr(checkpoint, "wal_size", look)
    with opened(tmp_path / "j.db") as journal:
        keep_ids(journal, "a")
        until(lambda: b'"event_id":"a"' in journal.path.read_bytes(), "it is moved")
        assert len(looks) < 20  # one for each of a few commits, not one in each millisecond


def test_what_is_written_meanwhile_ends_the_wait_of_the_checkpoints() -> None:
    progress, stop = WalProgress(begun=1, wrote=1), threading.Event()
    waiting = threading.Thread(target=progress.wait, args=(stop, FOR_EVER))
    waiting.start()

    def is_over() -> bool:
        progress.note()
        return not waiting.is_alive()

    until(is_over, "the wait is over")
