"""A batch is read in a time that does not grow with what is left of the journal."""

import sqlite3
from pathlib import Path

from listener.journal.database import connect
from listener.journal.query import events_after
from tests.journal.keeping import ids, keep_ids, opened


def test_a_batch_is_read_without_sorting_the_rest(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal:
        keep_ids(journal, "a", "b", "c")
        connection = connect(journal.path, "ro")
        asked: list[str] = []
        connection.set_trace_callback(asked.append)
        assert ["b", "c"] == ids(events_after(connection, 1, 10))
        connection.set_trace_callback(None)
        assert [] == [step for query in asked for step in plan(connection, query) if "B-TREE" in step]
        connection.close()


def plan(connection: sqlite3.Connection, query: str) -> list[str]:
    """SQLite's steps for a query whose values are written into it."""
    return [str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {query}")]
