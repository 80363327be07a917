"""Reads the journal as the page shows it: newest first, one event, and what became of it. Bounded; changes nothing."""

import sqlite3
from dataclasses import dataclass
from itertools import pairwise

from listener.event import Received
from listener.journal.query import COLUMNS, seq_at

LETTERS = 500  # of a list


@dataclass(frozen=True)
class Held:
    """An event that a sink has not got and will not get with the others. Times are Unix ms.

    `state` is "dead" for a letter that waits for somebody's decision, "retrying" once that is made, and "waiting" for
    an event that is tried again at `next_ms`. `id` is a dead letter's. `seq` is None for a payload that can't be read.
    """

    state: str
    id: int
    sink: str
    seq: int | None
    reason: str
    attempts: int
    at_ms: int
    next_ms: int = 0


def event_at(connection: sqlite3.Connection, seq: int) -> Received | None:
    """Returns the event of that seq, None where its body is not kept any more."""
    row = connection.execute(f"SELECT {COLUMNS} FROM kept WHERE seq = ?", (seq,)).fetchone()  # noqa: S608 our own names
    return Received(*row) if row else None


def nth_newest(connection: sqlite3.Connection, count: int) -> int:
    """Returns the seq of the event that has `count` newer ones, 0 where there are not so many."""
    row = connection.execute("SELECT seq FROM bodies ORDER BY seq DESC LIMIT 1 OFFSET ?", (count,)).fetchone()
    return int(row[0]) if row else 0


def counts_since(connection: sqlite3.Connection, times_ms: list[int]) -> list[int]:
    """Returns how many events came between each of these times and the next one, by their seqs."""
    seqs = [seq_at(connection, ms) for ms in times_ms]
    return [max(0, later - earlier) for earlier, later in pairwise(seqs)]


def first_received(connection: sqlite3.Connection) -> int | None:
    """Returns when the oldest event came that the journal still knows, in Unix ms."""
    row = connection.execute("SELECT received_ms FROM events ORDER BY seq LIMIT 1").fetchone()
    return int(row[0]) if row else None


def held_back(connection: sqlite3.Connection, seq: int | None = None) -> list[Held]:
    """Returns dead letters and waiting events, of one event or of all, each kind bounded to the newest LETTERS."""
    where, values = ("", (LETTERS,)) if seq is None else (" WHERE seq = ?", (seq, LETTERS))
    dead = connection.execute(
        "SELECT CASE WHEN order_id IS NULL THEN 'dead' ELSE 'retrying' END, id, sink, seq, reason, attempts, at_ms, 0"  # noqa: S608 our own names
        f" FROM dead_letters{where} ORDER BY id DESC LIMIT ?",
        values,
    )
    found = [Held(*row) for row in dead]
    waiting = connection.execute(
        "SELECT 'waiting', id, sink, seq, reason, attempts, first_ms, next_ms"  # noqa: S608 our own names
        f" FROM waiting{where} ORDER BY id DESC LIMIT ?",
        values,
    )
    return found + [Held(*row) for row in waiting]


def unreadable(connection: sqlite3.Connection) -> list[Held]:
    """Returns the newest payloads that could not be read and are kept in quarantine."""
    query = "SELECT 'unreadable', id, '-', NULL, reason, 1, received_ms, 0 FROM aside ORDER BY id DESC LIMIT ?"
    return [Held(*row) for row in connection.execute(query, (LETTERS,))]


def letter_counts(connection: sqlite3.Connection) -> dict[str, int]:
    """Returns how many dead letters, waiting events and unreadable payloads there are."""
    tables = {"dead": "dead_letters", "waiting": "waiting", "unreadable": "aside"}
    return {
        name: int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 our own names
        for name, table in tables.items()
    }
