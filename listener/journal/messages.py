"""Knows which ticket messages the journal has, so that one that was pushed and one that was fetched are not both kept.

A push carries an event id, a fetched message none; what both have is the ticket_message_id. An index of it costs every
event some work, so it is made only where a backfill is: `index` follows the journal in slices before one, and the
writer's own transaction does the rest. Once something was fetched, every push is compared with it.
"""

import sqlite3
from collections.abc import Sequence

from listener.event import TICKET_MESSAGE, Received, message_id_of
from listener.journal.calls import INDEXED_TO, mark, read
from listener.journal.identity import DAY_MS
from listener.journal.model import Pending

PREFIX = "backfill:"
Key = int | str


def key_of(message_id: str) -> Key:
    """Returns the id as the index keeps it: a number takes 8 bytes, its text 20."""
    return int(message_id) if message_id.isdecimal() and message_id[0] != "0" and len(message_id) < 19 else message_id


def index(connection: sqlite3.Connection, limit: int) -> int:
    """Notes the message ids of the next events, at most `limit`; returns how many events it looked at."""
    query = "SELECT seq, event_type, received_ms, payload, event_id FROM kept WHERE seq > ? ORDER BY seq LIMIT ?"
    rows = connection.execute(query, (int(read(connection, INDEXED_TO) or 0), limit)).fetchall()
    ids = [(message_id_of(row[3]), row) for row in rows if row[1] == TICKET_MESSAGE]
    connection.executemany(
        "INSERT OR IGNORE INTO message_ids VALUES (?,?,?)",
        [(key_of(one), row[2] // DAY_MS, row[4].startswith(PREFIX)) for one, row in ids if one],
    )
    if rows:
        mark(connection, INDEXED_TO, rows[-1][0])
    return len(rows)


def forget(connection: sqlite3.Connection, before_ms: int) -> None:
    """Removes the ids of what came before that time."""
    connection.execute("DELETE FROM message_ids WHERE day < ?", (before_ms // DAY_MS,))


class Twins:
    """Finds messages that came both ways, pushed by the platform and fetched by a backfill.

    It works inside the writer's transaction.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._any: bool | None = None  # whether a push may have a fetched twin; None: not looked yet

    def among(self, batch: Sequence[Pending]) -> list[Pending]:
        """Returns the events of the batch whose message came the other way before, pushed or fetched.

        The other one is in the journal, or stands before it in the batch.
        """
        fetched = any(pending.event_id.startswith(PREFIX) for pending in batch)
        if not fetched and not self._known():
            return []
        while fetched and index(self._connection, 500):
            continue
        here: dict[Key, bool] = {}
        return [pending for pending in batch if self._is_twin(pending, here)]

    def note(self, kept: Sequence[Received]) -> None:
        """Adds the fetched ones of the stored events to the index."""
        rows = [
            (key_of(event.event_id.removeprefix(PREFIX)), event.received_ms // DAY_MS)
            for event in kept
            if event.event_id.startswith(PREFIX)
        ]
        if rows:
            self._any = True
            self._connection.executemany("INSERT OR REPLACE INTO message_ids VALUES (?,?,1)", rows)

    def _known(self) -> bool:
        if self._any is None:
            query = "SELECT 1 FROM message_ids WHERE backfilled=1 LIMIT 1"
            self._any = self._connection.execute(query).fetchone() is not None
        return self._any

    def _is_twin(self, pending: Pending, here: dict[Key, bool]) -> bool:
        fetched = pending.event_id.startswith(PREFIX)
        text = pending.event_id.removeprefix(PREFIX) if fetched else message_id_of(pending.payload)
        if not text:
            return False
        key = key_of(text)
        row = self._connection.execute("SELECT backfilled FROM message_ids WHERE id=?", (key,)).fetchone()
        of_fetched = here.get(key) if key in here else bool(row[0]) if row else None
        here.setdefault(key, fetched)
        return of_fetched is not None and (fetched or of_fetched)
