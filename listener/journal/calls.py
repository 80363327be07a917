"""Counts calls of the platform's API by month, and keeps single values that outlive a run, for several processes."""

import sqlite3
from collections.abc import Mapping

CONNECTED, ENRICHED_TO, INDEXED_TO, MESSAGE_UNIT = "connected_ms", "enriched_to", "indexed_to", "message_unit"
"""Names of marks: when a connection was last open; up to which seq events are enriched, and indexed by message;
how many milliseconds a unit of a message query's times has."""
_HALTED = "halted:"


def add(connection: sqlite3.Connection, month: str, counts: Mapping[str, int], halted: str) -> None:
    """Adds calls to what is counted, and keeps the reason if there are to be no more in this month."""
    connection.executemany(
        "INSERT INTO api_calls VALUES (?,?,?) ON CONFLICT (month, api) DO UPDATE SET calls = calls + excluded.calls",
        [(month, api, calls) for api, calls in counts.items()],
    )
    connection.execute("DELETE FROM marks WHERE name LIKE ? AND name <> ?", (f"{_HALTED}%", f"{_HALTED}{month}"))
    if halted:
        mark(connection, f"{_HALTED}{month}", halted)


def load(connection: sqlite3.Connection, month: str) -> tuple[dict[str, int], str]:
    """Returns (this month's calls by API, why there are to be no more, or "")."""
    rows = connection.execute("SELECT api, calls FROM api_calls WHERE month=?", (month,))
    return dict(rows.fetchall()), str(read(connection, f"{_HALTED}{month}") or "")


def mark(connection: sqlite3.Connection, name: str, value: int | str) -> None:
    """Sets a single value."""
    connection.execute(
        "INSERT INTO marks VALUES (?,?) ON CONFLICT (name) DO UPDATE SET value=excluded.value", (name, value)
    )


def unmark(connection: sqlite3.Connection, name: str) -> None:
    """Removes a single value."""
    connection.execute("DELETE FROM marks WHERE name=?", (name,))


def read(connection: sqlite3.Connection, name: str) -> int | str | None:
    """Returns a single value, None where it is not set."""
    row = connection.execute("SELECT value FROM marks WHERE name=?", (name,)).fetchone()
    return row[0] if row else None
