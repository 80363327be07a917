"""Keeps what was fetched for an event before a sink got it, so that a line that is made again has the same bytes.

A ticket is kept once for all events that go out with it. Rows leave with their events.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from listener.journal.calls import ENRICHED_TO, mark, read
from listener.journal.query import kept_of

_AT_ONCE = 500  # values in one query


@dataclass(frozen=True)
class Enriched:
    """What goes out with an event: `detail` is a ticket's id in `details`, `more` a JSON object of the rest, or b""."""

    seq: int
    detail: int | None
    more: bytes


def store(connection: sqlite3.Connection, upto: int, rows: Sequence[Enriched], details: Mapping[int, bytes]) -> None:
    """Stores what goes out with these events; from then on sinks may have every event up to the seq `upto`."""
    there = kept_of(connection, [one.seq for one in rows])  # what was erased meanwhile leaves nothing behind
    kept = [one for one in rows if one.seq in there]
    gone = {one.detail for one in rows} - {one.detail for one in kept}
    bodies = [(one, body) for one, body in details.items() if one not in gone]
    connection.executemany("INSERT OR IGNORE INTO details VALUES (?,?)", bodies)
    connection.executemany(
        "INSERT OR REPLACE INTO enriched VALUES (?,?,?)", [(one.seq, one.detail, one.more) for one in kept]
    )
    mark(connection, ENRICHED_TO, upto)


def added(connection: sqlite3.Connection, seqs: Sequence[int]) -> dict[int, bytes]:
    """Returns what goes out with each of these events, as a JSON object; events without anything are absent."""
    found: dict[int, bytes] = {}
    for start in range(0, len(seqs), _AT_ONCE):
        part = seqs[start : start + _AT_ONCE]
        marks = ",".join("?" * len(part))
        columns = "e.seq, d.body, e.more FROM enriched e LEFT JOIN details d ON d.id = e.detail"
        query = f"SELECT {columns} WHERE e.seq IN ({marks})"
        found.update((seq, joined(body, more)) for seq, body, more in connection.execute(query, part))
    return found


def joined(detail: bytes | None, more: bytes) -> bytes:
    """Returns one JSON object of the ticket and what else is added."""
    if detail is None:
        return more
    rest = b"," + more[1:] if len(more) > 2 else b"}"
    return b'{"ticket_detail":' + detail + rest


def enriched_to(connection: sqlite3.Connection) -> int | None:
    """Returns the seq up to which events may go to the sinks, None where enriching was off until now."""
    value = read(connection, ENRICHED_TO)
    return None if value is None else int(value)


def last_detail(connection: sqlite3.Connection) -> int:
    """Returns the highest id in `details` so far."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name='details'").fetchone()
    return int(row[0]) if row else 0


def forget(connection: sqlite3.Connection) -> None:
    """Removes what belongs to events that have left the journal."""
    connection.execute("DELETE FROM enriched WHERE seq < (SELECT ifnull(min(seq), 0) FROM events)")
    lowest = "(SELECT ifnull(min(detail), 0) FROM enriched WHERE detail IS NOT NULL)"
    connection.execute(f"DELETE FROM details WHERE id < {lowest}")  # noqa: S608 our own names
