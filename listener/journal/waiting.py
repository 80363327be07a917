"""Stores the events that wait for a retry by one sink, and all that a network sink commits of its progress.

An event that alone keeps failing waits here with a next attempt, and its ticket's later events wait behind it. The
cursor passes over them, and retention keeps their bodies (retention.py) until they are delivered or dead letters.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from listener.base.clock import now_ms
from listener.journal.model import Cursor, Redelivery
from listener.journal.redelivery import progress
from listener.journal.writer import SET_CURSOR


class Waiting(msgspec.Struct):
    """An event that waits for its next attempt beside the cursor, or behind one of its ticket that does.

    `ticket` is the key by which events keep their order; `first_ms` is when it first failed itself, 0 while it only
    waits behind another.
    """

    seq: int
    ticket: str
    attempts: int = 0
    first_ms: int = 0
    next_ms: int = 0
    reason: str = ""
    replayed: bool = False


# An event that was erased while a sink had it leaves neither a dead letter nor one that waits; its seq comes last.
KEPT = "EXISTS (SELECT 1 FROM events WHERE seq = ?)"
DEAD_LETTER = (
    f"INSERT INTO dead_letters (sink, seq, reason, attempts, at_ms) SELECT ?,?,?,?,? WHERE {KEPT}"
    " ON CONFLICT (sink, seq) DO UPDATE SET reason=excluded.reason, at_ms=excluded.at_ms,"
    " attempts=attempts+excluded.attempts, order_id=NULL"
)
_FIELDS = Waiting.__struct_fields__


@dataclass
class Changes:
    """What became of some events: those in `waiting` are stored or changed, those in `left` wait no more.

    `dead` holds (seq, reason, attempts). `again` holds events that were delivered once more and are no dead letters
    now.
    """

    dead: list[tuple[int, str, int]] = field(default_factory=list)
    waiting: dict[int, Waiting] = field(default_factory=dict)
    left: list[int] = field(default_factory=list)
    again: list[int] = field(default_factory=list)
    redelivery: tuple[Redelivery, int] | None = None  # done up to that seq


def load(connection: sqlite3.Connection, sink: str) -> list[Waiting]:
    """Returns the events that wait for the sink, oldest first."""
    query = f"SELECT {', '.join(_FIELDS)} FROM waiting WHERE sink=? ORDER BY seq"  # noqa: S608 our own names
    rows = connection.execute(query, (sink,))
    return [msgspec.convert(dict(zip(_FIELDS, row, strict=True)), Waiting, strict=False) for row in rows]


def settle(connection: sqlite3.Connection, sink: str, cursor: Cursor, changes: Changes) -> None:
    """Writes the cursor and all changes, inside the caller's transaction."""
    connection.execute(SET_CURSOR, (sink, cursor.seq, cursor.position, now_ms()))
    connection.executemany(
        "INSERT INTO waiting (sink, seq, ticket, attempts, first_ms, next_ms, reason, replayed)"
        f" SELECT ?,?,?,?,?,?,?,? WHERE {KEPT}"
        " ON CONFLICT (sink, seq) DO UPDATE SET attempts=excluded.attempts, first_ms=excluded.first_ms,"
        " next_ms=excluded.next_ms, reason=excluded.reason",
        ((sink, *msgspec.structs.astuple(one), one.seq) for one in changes.waiting.values()),
    )
    _remove(connection, "waiting", sink, changes.left)
    _remove(connection, "dead_letters", sink, changes.again)
    now = now_ms()
    connection.executemany(
        DEAD_LETTER,
        ((sink, seq, reason[:1000], attempts, now, seq) for seq, reason, attempts in changes.dead),
    )
    if changes.redelivery:
        redelivery, done = changes.redelivery
        progress(connection, redelivery, done, cursor, ())


def _remove(connection: sqlite3.Connection, table: str, sink: str, seqs: Iterable[int]) -> None:
    connection.executemany(f"DELETE FROM {table} WHERE sink=? AND seq=?", [(sink, seq) for seq in seqs])  # noqa: S608 our own names
