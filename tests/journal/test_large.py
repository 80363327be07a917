"""A journal of 4 GB."""

import sqlite3
import time
from functools import partial
from pathlib import Path

import pytest

from tests.journal.keeping import keep_ids, opened

ROWS, BODY, STEP = 62_500, 64 * 1024, 2500  # BODY in bytes
INSERT = "INSERT INTO events (event_id, event_type, received_ms, payload) VALUES (?, 't', 1, randomblob(?))"


def grow(first: int, connection: sqlite3.Connection) -> None:
    connection.executemany(INSERT, [(f"e{number}", BODY) for number in range(first, first + STEP)])


@pytest.mark.slow
def test_a_journal_of_4_gb_is_open_within_a_second(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with opened(path, max_size=1 << 40) as journal:
        journal.attach([("archive", True)])
        for first in range(0, ROWS, STEP):
            journal.do(partial(grow, first), timeout=60.0)
    assert path.stat().st_size > 4e9

    began = time.monotonic()
    with opened(path, max_size=1 << 40) as journal:
        assert [200] == keep_ids(journal, "new")
        seconds = time.monotonic() - began
    path.unlink()
    assert seconds < 1.0
