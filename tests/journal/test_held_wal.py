"""A read transaction that somebody keeps open: the WAL can't be used anew, and grows."""

import sqlite3
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from listener.journal.checkpoint import HELD, wal_cap, wal_size
from tests.journal.keeping import keep, opened, payload, until

MIB = 2**20


@pytest.mark.slow
def test_it_is_told_and_ends_with_the_reader(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "j.db"
    told = ""
    with opened(path, max_size=MIB) as journal, closing(sqlite3.connect(path)) as viewer:
        viewer.execute("BEGIN")
        viewer.execute("SELECT count(*) FROM events").fetchone()
        numbers = count()

        def warned() -> bool:
            nonlocal told
            keep(journal, payload(f"e{next(numbers)}", text="x" * 5000))
            told += capsys.readouterr().out
            return "reading the journal in one transaction" in told

        until(warned, "the warning", HELD + 20)
        assert journal.writer.progress.held_seconds() > 0
        assert wal_size(path) > wal_cap(MIB)
        viewer.execute("COMMIT")  # the journal is full by now: nothing more is written, and yet all of it is moved
        until(lambda: warned() and not journal.writer.progress.held_seconds(), "it is over")
