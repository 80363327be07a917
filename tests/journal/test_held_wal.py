"""A read transaction that somebody keeps open: the WAL can't be used anew, and grows."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from listener.journal import checkpoint
from listener.journal.checkpoint import wal_cap, wal_size
from tests.journal.keeping import keep, opened, payload, until

MIB = 2**20


def test_it_is_told_and_ends_with_the_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(checkpoint, "HELD", 0.5)
    path = tmp_path / "j.db"
    told = ""
    with opened(path, max_size=MIB) as journal, closing(sqlite3.connect(path)) as viewer:
        viewer.execute("BEGIN")
        viewer.execute("SELECT count(*) FROM events").fetchone()
        numbers = iter(range(10_000))

        def warned() -> bool:
            nonlocal told
            keep(journal, payload(f"e{next(numbers)}", text="x" * 5000))
            told += capsys.readouterr().out
            return "reading the journal in one transaction" in told

        until(warned, "the warning")
        assert journal.writer.progress.held_seconds() > 0
        assert wal_size(path) > wal_cap(MIB)
        viewer.execute("COMMIT")
        until(lambda: warned() and not journal.writer.progress.held_seconds(), "it is over")
