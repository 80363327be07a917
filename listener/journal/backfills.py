"""Stores backfill jobs and the times without a connection, so that whoever fetches can stop at any point.

A job first lists the tickets that changed ("listing"), then fetches their messages one ticket after the other
("fetching"); a ticket leaves `backfill_tickets` once its messages are in the journal. A crash repeats one ticket, whose
messages the journal recognises as duplicates.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from listener.base.clock import now_ms
from listener.journal.calls import mark, unmark

KEEP = 50  # ended jobs and gaps that are remembered
_UNATTENDED = "unattended:"  # with a job's id the name of a mark: the daemon asked for it, nobody else
_COLUMNS = (
    "id, helpdesk_id, token_file, since_ms, until_ms, asked_ms, state, tickets, tickets_done, messages, fresh,"
    " calls, note, ended_ms"
)


@dataclass(frozen=True)
class Backfill:
    """A backfill job; `state` is listing, fetching, done, incomplete or failed. `fresh` of its `messages` were new."""

    id: int
    helpdesk_id: str
    token_file: str
    since_ms: int
    until_ms: int
    asked_ms: int
    state: str
    tickets: int
    tickets_done: int
    messages: int
    fresh: int
    calls: int
    note: str
    ended_ms: int | None


@dataclass(frozen=True)
class Gap:
    """A time without a connection, in Unix ms."""

    from_ms: int
    to_ms: int


def ask(connection: sqlite3.Connection, since_ms: int, until_ms: int, helpdesk_id: str, token_file: str = "") -> int:
    """Places a person's job and returns its id. An empty `token_file` means the configured helpdesk."""
    query = "INSERT INTO backfills (helpdesk_id, token_file, since_ms, until_ms, asked_ms) VALUES (?,?,?,?,?)"
    row = (helpdesk_id, token_file, since_ms, until_ms, now_ms())
    return connection.execute(query, row).lastrowid or 0


def ask_unattended(connection: sqlite3.Connection, since_ms: int, until_ms: int, helpdesk_id: str) -> None:
    """Places a job of the daemon's own; where the platform refuses it, no person is there to ask for it again."""
    mark(connection, f"{_UNATTENDED}{ask(connection, since_ms, until_ms, helpdesk_id)}", 1)


def ask_again(connection: sqlite3.Connection) -> None:
    """Places the daemon's own jobs that have failed anew, as one."""
    failed = f"state='failed' AND '{_UNATTENDED}' || id IN (SELECT name FROM marks)"  # noqa: S608 our own names
    query = f"SELECT min(since_ms), max(until_ms), helpdesk_id FROM backfills WHERE {failed} GROUP BY helpdesk_id"  # noqa: S608
    found = connection.execute(query).fetchall()
    remove = f"DELETE FROM marks WHERE name IN (SELECT '{_UNATTENDED}' || id FROM backfills WHERE {failed})"  # noqa: S608
    connection.execute(remove)
    for row in found:
        ask_unattended(connection, *row)


def next_job(connection: sqlite3.Connection) -> Backfill | None:
    """Returns the oldest job that is not done."""
    query = f"SELECT {_COLUMNS} FROM backfills WHERE ended_ms IS NULL ORDER BY id LIMIT 1"  # noqa: S608 our own names
    row = connection.execute(query).fetchone()
    return Backfill(*row) if row else None


def job(connection: sqlite3.Connection, one: int) -> Backfill | None:
    """Returns the job with this id."""
    row = connection.execute(f"SELECT {_COLUMNS} FROM backfills WHERE id=?", (one,)).fetchone()  # noqa: S608 our own names
    return Backfill(*row) if row else None


def recent(connection: sqlite3.Connection, count: int) -> list[Backfill]:
    """Returns the newest `count` jobs, newest first."""
    rows = connection.execute(f"SELECT {_COLUMNS} FROM backfills ORDER BY id DESC LIMIT ?", (count,))  # noqa: S608 our own names
    return [Backfill(*row) for row in rows]


def listed(connection: sqlite3.Connection, one: int, tickets: Iterable[tuple[str, bytes]]) -> None:
    """Stores the tickets that a job found, and moves the job to the state "fetching"."""
    connection.executemany(
        "INSERT OR REPLACE INTO backfill_tickets VALUES (?,?,?)", [(one, ticket, body) for ticket, body in tickets]
    )
    count = "(SELECT count(*) FROM backfill_tickets WHERE job=?)"
    connection.execute(f"UPDATE backfills SET state='fetching', tickets={count} WHERE id=?", (one, one))  # noqa: S608 our own names


def next_ticket(connection: sqlite3.Connection, one: int, later: Sequence[str] = ()) -> tuple[str, bytes] | None:
    """Returns (id, the ticket as JSON) of the next one whose messages are to be fetched.

    Those in `later`, which the job still has, come once there is no other, in their order.
    """
    query = "SELECT ticket_id, ticket FROM backfill_tickets WHERE job=? AND ticket_id"
    others = f"{query} NOT IN ({','.join('?' * len(later))}) ORDER BY ticket_id LIMIT 1"
    row: tuple[str, bytes] | None = connection.execute(others, (one, *later)).fetchone()
    if row is None and later:
        row = connection.execute(f"{query} = ?", (one, later[0])).fetchone()
    return row


def ticket_done(connection: sqlite3.Connection, one: int, ticket_id: str, messages: int, fresh: int) -> None:
    """Counts a ticket's messages, and removes the ticket from the job."""
    connection.execute("DELETE FROM backfill_tickets WHERE job=? AND ticket_id=?", (one, ticket_id))
    connection.execute(
        "UPDATE backfills SET tickets_done=tickets_done+1, messages=messages+?, fresh=fresh+? WHERE id=?",
        (messages, fresh, one),
    )


def counted(connection: sqlite3.Connection, one: int, calls: int, note: str) -> None:
    """Adds the calls that a job has made, and notes what holds it up or what it found."""
    connection.execute("UPDATE backfills SET calls=calls+?, note=? WHERE id=?", (calls, note[:500], one))


def end(connection: sqlite3.Connection, one: int, state: str, note: str) -> None:
    """Ends a job as done, incomplete or failed, and removes the oldest of those that have ended."""
    query = "UPDATE backfills SET state=?, note=?, ended_ms=? WHERE id=?"
    connection.execute(query, (state, note[:500], now_ms(), one))
    connection.execute("DELETE FROM backfill_tickets WHERE job=?", (one,))
    if state != "failed":
        unmark(connection, f"{_UNATTENDED}{one}")
    old = "SELECT id FROM backfills WHERE ended_ms IS NOT NULL ORDER BY id DESC LIMIT -1 OFFSET ?"
    connection.execute(f"DELETE FROM backfills WHERE id IN ({old})", (KEEP,))  # noqa: S608 our own names


def note_gap(connection: sqlite3.Connection, gap: Gap) -> None:
    """Stores a time without a connection."""
    connection.execute("INSERT INTO gaps (from_ms, to_ms) VALUES (?,?)", (gap.from_ms, gap.to_ms))
    old = "SELECT id FROM gaps ORDER BY id DESC LIMIT -1 OFFSET ?"
    connection.execute(f"DELETE FROM gaps WHERE id IN ({old})", (KEEP,))  # noqa: S608 our own names


def gaps(connection: sqlite3.Connection, count: int) -> list[Gap]:
    """Returns the newest `count` gaps, newest first."""
    rows = connection.execute("SELECT from_ms, to_ms FROM gaps ORDER BY id DESC LIMIT ?", (count,))
    return [Gap(*row) for row in rows]
