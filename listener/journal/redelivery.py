"""Stores replays and retries: rows of the table `orders` that a command writes and the sink's own worker carries out.

A redelivery goes on in steps of some events. Before a step, one commit says that it begins and where the sink stands;
after it, one commit says what is done and where the sink stands then. So what a crash leaves in a sink past its last
kept position is either a part of that step or, between steps, of the ordinary delivery: never of both.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from listener.base.clock import now_ms
from listener.base.errors import JournalError
from listener.event import Received
from listener.journal import erasure
from listener.journal.database import connect, transaction
from listener.journal.identity import knows
from listener.journal.model import QUARANTINE, Cursor, DeadLetter, Redelivery
from listener.journal.query import AT_MOST_BACK_MS, COLUMNS, bounded, seq_at
from listener.journal.writer import SET_CURSOR

WINDOW = 5000  # seqs searched in a step
ALWAYS = 1 << 62  # ms
Change = Callable[[sqlite3.Connection], None]
"""What a command writes, in one transaction."""
_FIELDS = "id, sink, kind, since_ms, until_ms, done_seq, last_seq, started"


def replay(connection: sqlite3.Connection, sink: str, since_ms: int, until_ms: int) -> tuple[Redelivery, int]:
    """Returns a replay of what came in that time and has been delivered, and how many events that is.

    It only reads; `placing` writes it.
    """
    first = seq_at(connection, since_ms - AT_MOST_BACK_MS)
    last = seq_at(connection, until_ms + AT_MOST_BACK_MS) - 1
    return _replay(connection, Redelivery(0, sink, "replay", since_ms, until_ms, first - 1, last, started=False))


def replay_of(connection: sqlite3.Connection, sink: str, event_id: str) -> tuple[Redelivery, int]:
    """Returns a replay of one event; the count is 0 where the journal has it no more, or the sink has yet to get it."""
    row = connection.execute("SELECT seq FROM events WHERE event_id=?", (event_id,)).fetchone()
    seq = row[0] if row else 0
    return _replay(connection, Redelivery(0, sink, "replay", 0, ALWAYS, seq - 1, seq, started=False))


def replay_of_ticket(
    connection: sqlite3.Connection, sink: str, ticket: str, since_ms: int, until_ms: int
) -> list[tuple[Redelivery, int]]:
    """Returns replays of the messages of a ticket that came in that time, one for each run of consecutive seqs."""
    seqs = [event.seq for event in erasure.of_ticket(connection, ticket) if since_ms <= event.received_ms < until_ms]
    runs: list[list[int]] = []
    for seq in seqs:
        if runs and seq == runs[-1][1] + 1:
            runs[-1][1] = seq
        else:
            runs.append([seq, seq])
    planned = [Redelivery(0, sink, "replay", 0, ALWAYS, first - 1, last, started=False) for first, last in runs]
    return [_replay(connection, asked) for asked in planned]


def _replay(connection: sqlite3.Connection, asked: Redelivery) -> tuple[Redelivery, int]:
    delivered = connection.execute("SELECT seq FROM cursors WHERE sink=?", (asked.sink,)).fetchone()
    asked = replace(asked, last_seq=min(asked.last_seq, delivered[0] if delivered else 0))
    (count,) = connection.execute(
        "SELECT count(*) FROM kept WHERE seq > ? AND seq <= ? AND received_ms >= ? AND received_ms < ?",
        (asked.done_seq, asked.last_seq, asked.since_ms, asked.until_ms),
    ).fetchone()
    return asked, int(count)


def placing(planned: Sequence[Redelivery]) -> Change:
    """Returns the change that stores all of these replays."""

    def change(connection: sqlite3.Connection) -> None:
        for asked in planned:
            place(connection, asked)

    return change


def retrying(letters: Sequence[DeadLetter]) -> Change:
    """Returns the change that stores, for each sink of these dead letters, a retry of its own."""
    ids: dict[str, list[int]] = {}
    for letter in letters:
        ids.setdefault(letter.sink, []).append(letter.id)

    def change(connection: sqlite3.Connection) -> None:
        for sink, own in ids.items():
            place_retry(connection, sink, own)

    return change


def discarding(letters: Sequence[DeadLetter]) -> Change:
    """Returns the change that removes these dead letters for good, unless they are being retried."""

    def change(connection: sqlite3.Connection) -> None:
        for letter in letters:
            if letter.sink == QUARANTINE:
                connection.execute("DELETE FROM aside WHERE id=?", (letter.id,))
            else:
                connection.execute("DELETE FROM dead_letters WHERE id=? AND order_id IS NULL", (letter.id,))

    return change


def reread(quarantined: int, event_id: str) -> Change:
    """Returns the change that removes a quarantined payload, once it is in the journal as an event."""

    def change(connection: sqlite3.Connection) -> None:
        if knows(connection, event_id):
            connection.execute("DELETE FROM aside WHERE id=?", (quarantined,))

    return change


def beside_daemon(path: Path, change: Change) -> None:
    """Makes the change in a short transaction, for which the daemon's own wait. Raises JournalError."""
    try:
        with closing(connect(path)) as connection, transaction(connection):
            change(connection)
    except sqlite3.Error as e:
        raise JournalError(f"journal {path}: {e}") from e


def place(connection: sqlite3.Connection, asked: Redelivery) -> int:
    """Stores a redelivery and returns its id."""
    row = asked.sink, asked.kind, asked.since_ms, asked.until_ms, asked.done_seq, asked.last_seq
    query = "INSERT INTO orders (sink, kind, since_ms, until_ms, done_seq, last_seq) VALUES (?,?,?,?,?,?)"
    return connection.execute(query, row).lastrowid or 0


def place_retry(connection: sqlite3.Connection, sink: str, ids: Iterable[int]) -> int:
    """Stores a retry of these dead letters, except those that are being retried; returns how many it retries."""
    asked = place(connection, Redelivery(0, sink, "retry", 0, 0, 0, 0, started=False))
    marked = connection.executemany(
        "UPDATE dead_letters SET order_id=? WHERE id=? AND sink=? AND order_id IS NULL", [(asked, i, sink) for i in ids]
    ).rowcount
    last = "(SELECT max(seq) FROM dead_letters WHERE order_id=orders.id)"
    connection.execute(f"UPDATE orders SET last_seq=ifnull({last}, 0) WHERE id=?", (asked,))  # noqa: S608 our own names
    connection.execute("DELETE FROM orders WHERE id=? AND last_seq=0", (asked,))
    return max(marked, 0)


def next_redelivery(connection: sqlite3.Connection, sink: str) -> Redelivery | None:
    """Returns the redelivery that a crash interrupted, else the oldest."""
    query = f"SELECT {_FIELDS} FROM orders WHERE sink=? ORDER BY started DESC, id LIMIT 1"  # noqa: S608 our own names
    row = connection.execute(query, (sink,)).fetchone()
    return Redelivery(*row) if row else None


def selected(connection: sqlite3.Connection, asked: Redelivery, after: int, limit: int) -> tuple[list[Received], int]:
    """Returns (the redelivery's next events after that seq, the seq up to which these are all)."""
    if asked.kind == "retry":
        end = asked.last_seq
        rows = connection.execute(
            f"SELECT {COLUMNS} FROM kept WHERE seq IN"  # noqa: S608 our own names
            " (SELECT d.seq FROM dead_letters d WHERE d.order_id=? AND d.seq > ?) ORDER BY seq LIMIT ?",
            (asked.id, after, limit),
        )
    else:
        end = min(asked.last_seq, after + WINDOW)
        rows = connection.execute(
            f"SELECT {COLUMNS} FROM kept WHERE seq > ? AND seq <= ? AND received_ms >= ? AND received_ms < ?"  # noqa: S608 our own names
            " ORDER BY seq LIMIT ?",
            (after, end, asked.since_ms, asked.until_ms, limit),
        )
    events, cut = bounded(rows, limit)
    return events, events[-1].seq if cut else end


def begin(connection: sqlite3.Connection, asked: Redelivery) -> None:
    """Notes that the sink's next lines are this redelivery's. The cursor is written in the same commit, as always."""
    connection.execute("UPDATE orders SET started=1 WHERE id=?", (asked.id,))


def progress(
    connection: sqlite3.Connection, asked: Redelivery, done_seq: int, cursor: Cursor, delivered: Iterable[int]
) -> None:
    """Notes that the redelivery is done up to `done_seq`, and removes the dead letters of what it delivered."""
    connection.execute(SET_CURSOR, (asked.sink, cursor.seq, cursor.position, now_ms()))
    connection.executemany("DELETE FROM dead_letters WHERE sink=? AND seq=?", [(asked.sink, seq) for seq in delivered])
    if done_seq < asked.last_seq:
        connection.execute("UPDATE orders SET done_seq=?, started=0 WHERE id=?", (done_seq, asked.id))
    else:
        connection.execute("DELETE FROM orders WHERE id=?", (asked.id,))
        connection.execute("UPDATE dead_letters SET order_id=NULL WHERE order_id=?", (asked.id,))
