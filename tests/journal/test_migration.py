"""A journal of version 0.1.0 (schema 1, bodies in the table of ids) becomes one of today."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from listener.event import TICKET_MESSAGE
from listener.journal import Cursor
from listener.journal.tables import APPLICATION_ID, MIGRATIONS
from tests.journal.keeping import ids, keep_ids, opened, payload, rows

RECEIVED = 1_790_000_000_000  # Unix ms
KEEP_FOR_EVER = 3650 * 86_400.0


def first_version(path: Path, *bodies: bytes | None) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(MIGRATIONS[0])
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute("PRAGMA user_version=1")
        for seq, body in enumerate(bodies, 11):
            connection.execute(
                "INSERT INTO events VALUES (?,?,?,?,?)", (seq, f"e{seq}", TICKET_MESSAGE, RECEIVED, body)
            )
        connection.execute("INSERT INTO cursors VALUES ('archive', 12, 'here', 5)")
        connection.execute("INSERT INTO dead_letters VALUES (1, 'archive', 12, 'no', 1, 5, NULL)")
        connection.execute("INSERT INTO aside VALUES (1, 5, 'why', 'hello')")
        connection.commit()
        connection.execute("PRAGMA journal_mode=WAL")


def test_everything_in_it_is_there_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    first_version(path, None, payload("e12"), payload("e13"))
    with opened(path, keep_s=KEEP_FOR_EVER) as journal:
        assert 13 == journal.last_seq
        assert {"archive": Cursor(12, "here")} == journal.attach([("archive", True)])
        assert ["e12", "e13"] == ids(journal.read(0, 10))
        assert [200, 200, 200] == keep_ids(journal, "e11", "e12", "new")
        assert 14 == journal.last_seq
    assert [(12, "no")] == rows(path, "SELECT seq, reason FROM dead_letters")
    assert [("hello",)] == rows(path, "SELECT payload FROM aside")
    ((size,),) = rows(path, "SELECT sum(length(payload) + 64) FROM bodies")
    assert [(size,)] == rows(path, "SELECT value FROM totals WHERE name='bodies'")


def test_numbers_are_not_used_again_when_every_row_had_left(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    first_version(path, payload("e11"))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM events")
        connection.commit()
    with opened(path) as journal:
        assert 11 == journal.last_seq
        assert [200] == keep_ids(journal, "e12")
        assert 12 == journal.last_seq


@pytest.mark.parametrize("page", [2, 3])
def test_a_damaged_one_is_salvaged(tmp_path: Path, page: int) -> None:
    path = tmp_path / "j.db"
    first_version(path, *(payload(f"e{seq}") for seq in range(11, 200)))
    with path.open("r+b") as file:
        file.seek(-4096 * page, 2)
        file.write(b"\xa5" * 4096)
    with opened(path, keep_s=KEEP_FOR_EVER) as journal:
        found = journal.read(0, 1000)
        assert 150 < len(found) < 190
        assert all(payload(event.event_id) == event.payload for event in found)
