"""A journal of 4 GB."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.journal.keeping import keep_ids, opened

ROWS, BODY, STEP = 62_500, 64 * 1024, 2500  # BODY in bytes
INSERT = "INSERT INTO events (seq, event_id, event_type, received_ms) VALUES (?, ?, 't', 1)"
INSERT_BODY = "INSERT INTO bodies VALUES (?, zeroblob(?))"


def grow(path: Path) -> None:
    """Straight to the file: through the WAL it would be written twice."""
    with closing(sqlite3.connect(path)) as connection:
        for setting in ("journal_mode=OFF", "synchronous=OFF"):
            connection.execute(f"PRAGMA {setting}")
        for first in range(0, ROWS, STEP):
            numbers = range(first + 1, first + STEP + 1)
            connection.executemany(INSERT, [(number, f"e{number}") for number in numbers])
            connection.executemany(INSERT_BODY, [(number, BODY) for number in numbers])
            connection.commit()
        connection.execute("PRAGMA journal_mode=WAL")


@pytest.mark.slow
def test_a_journal_of_4_gb_is_open_within_a_second(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with opened(path, max_size=1 << 40) as journal:
        journal.attach([("archive", True)])
    grow(path)
    assert path.stat().st_size > 4e9

    began = time.monotonic()
    with opened(path, max_size=1 << 40) as journal:
        assert [200] == keep_ids(journal, "new")
        seconds = time.monotonic() - began
    path.unlink()
    assert seconds < 1.0
