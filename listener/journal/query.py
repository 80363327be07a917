"""Reads events in bounded batches, and finds them by time."""

import sqlite3
from collections.abc import Callable, Iterable
from itertools import islice

from listener.event import Received

COLUMNS = "seq, event_id, event_type, received_ms, payload"
MAX_BYTES = 8 * 2**20  # of payloads read together
AT_MOST_BACK_MS = 86_400_000  # how far the clock may ever have been put back
BACK = 256  # events read together on the way back
_CHUNK = 64  # rows
# Not from the view `kept`: by its seq SQLite would sort all that is left of the journal for each batch.
_IN_ORDER = (
    "SELECT b.seq, event_id, event_type, received_ms, payload FROM bodies b CROSS JOIN events e ON e.seq = b.seq"
)


def bounded(rows: sqlite3.Cursor, limit: int) -> tuple[list[Received], bool]:
    """Returns the events of these rows, up to about MAX_BYTES, and whether there may be others. Closes `rows`."""
    events: list[Received] = []
    size = 0
    while size < MAX_BYTES and (chunk := [Received(*row) for row in islice(rows, _CHUNK)]):
        events += chunk
        size += sum(len(event.payload) for event in chunk)
    rows.close()
    return events, size >= MAX_BYTES or len(events) >= limit


def events_after(connection: sqlite3.Connection, seq: int, limit: int) -> list[Received]:
    """Returns the next events whose bodies are still there, oldest first."""
    query = f"{_IN_ORDER} WHERE b.seq > ? ORDER BY b.seq LIMIT ?"
    return bounded(connection.execute(query, (seq, limit)), limit)[0]


def kept_of(connection: sqlite3.Connection, seqs: Iterable[int]) -> set[int]:
    """Returns which of these events are still in the journal."""
    query = "SELECT seq FROM events WHERE seq = ?"
    return {one for seq in seqs for (one,) in connection.execute(query, (seq,))}


def events_before(connection: sqlite3.Connection, seq: int, limit: int) -> list[Received]:
    """Returns the events just before this seq whose bodies are still there, newest first."""
    query = f"{_IN_ORDER} WHERE b.seq < ? ORDER BY b.seq DESC LIMIT ?"
    return bounded(connection.execute(query, (seq, limit)), limit)[0]


def newest(
    connection: sqlite3.Connection, after: int, count: int, wanted: Callable[[Received], bool]
) -> tuple[list[Received], int]:
    """Returns the newest `count` wanted events that come after that seq, oldest first, and the newest seq of all."""
    found: list[Received] = []
    events = events_before(connection, 1 << 62, BACK)
    last = events[0].seq if events else after
    while events and len(found) < count:
        found += [event for event in events if event.seq > after and wanted(event)]
        events = events_before(connection, events[-1].seq, BACK) if events[-1].seq > after else []
    return found[:count][::-1], last


def seq_at(connection: sqlite3.Connection, ms: int) -> int:
    """Returns the lowest seq whose event came at that time or later, else the next seq to come; finds it by bisection.

    Exact where the clock never went back; where it did by d, ask for times that are d earlier (later, for an end).
    """
    low, high = connection.execute("SELECT ifnull(min(seq), 1), ifnull(max(seq), 0) + 1 FROM events").fetchone()
    while low < high:
        middle = (low + high) // 2
        row = connection.execute(
            "SELECT seq, received_ms FROM events WHERE seq >= ? ORDER BY seq LIMIT 1", (middle,)
        ).fetchone()
        if row is not None and row[1] < ms:
            low = row[0] + 1
        else:
            high = middle
    return int(low)


def first_since(connection: sqlite3.Connection, ms: int) -> int:
    """Returns the lowest seq that came at that time or later; the clock may have been put back by a day meanwhile.

    Only the small rows of ids are looked through, not the bodies.
    """
    start = seq_at(connection, ms - AT_MOST_BACK_MS)
    query = "SELECT seq FROM events WHERE seq >= ? AND received_ms >= ? ORDER BY seq LIMIT 1"
    row = connection.execute(query, (start, ms)).fetchone()
    return int(row[0]) if row else int(connection.execute("SELECT ifnull(max(seq), 0) + 1 FROM events").fetchone()[0])
