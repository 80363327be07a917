"""What may leave the journal, and when it is full. Runs in the writer's thread, in slices."""

import sqlite3
import time
from collections.abc import Iterable

from listener.journal.database import transaction
from listener.logs import get_logger

SLICE = 256  # rows a transaction: far below what an ack would notice
EVERY, WHILE_BUSY = 60.0, 0.05  # seconds to the next look, and to the next slice while events come in
DAY_MS = 86_400_000
NEVER = 1 << 62
log = get_logger(__name__)


class Retention:
    """Bodies stay for `keep_ms`, ids a day longer than that and than a day; nothing undelivered leaves by itself.

    When `max_size` bytes are in use, delivered bodies leave early, oldest first; if none is left, new events wait.
    """

    def __init__(self, keep_ms: int, max_size: int) -> None:
        self.keep_ms, self.max_size = keep_ms, max_size
        self.is_full = False
        self.used = 0  # bytes in use
        self._sinks: tuple[str, ...] = ()
        self._looked_to = 0  # the seq where the next slice begins
        self._next_look = 0.0

    def watch(self, sinks: Iterable[str]) -> None:
        """Only these sinks' cursors hold events back."""
        self._sinks = tuple(sinks)

    def full(self, connection: sqlite3.Connection) -> bool:
        """Whether a new event has no room, after an attempt to make some; inside the caller's transaction."""
        was, self.is_full = self.is_full, self._over(connection)
        if self.is_full and self._slice(connection, bodies_before=NEVER, ids_before=0):
            self.is_full = self._over(connection)
        if self.is_full and not was:
            log.error(
                "the journal is full: new events are refused until there is room",
                used=self.used,
                max_size=self.max_size,
                hint="a sink that is down holds its events back; mend it, or raise journal.max_size",
            )
        elif was and not self.is_full:
            log.info("the journal has room again", used=self.used)
        return self.is_full

    def turn(self, connection: sqlite3.Connection, *, busy: bool) -> None:
        """Removes what is old enough; `busy`: events are waiting, so one slice must do for now."""
        if time.monotonic() < self._next_look:
            return
        more = True
        try:
            while more:
                more = self._look(connection)
                if busy:
                    break
        except sqlite3.Error as e:
            log.warning("old events can't be removed", because=str(e))
            more = False
        self._next_look = time.monotonic() + (WHILE_BUSY if more else EVERY)

    def _look(self, connection: sqlite3.Connection) -> bool:
        now = time.time_ns() // 1_000_000
        # The ids' margin of a day: a clock that jumps forward by one forgets nothing.
        ids_before = now - max(self.keep_ms, DAY_MS) - DAY_MS
        with transaction(connection):
            connection.execute("DELETE FROM aside WHERE received_ms < ?", (ids_before,))
            return self._slice(connection, now - self.keep_ms, ids_before)

    def _slice(self, connection: sqlite3.Connection, bodies_before: int, ids_before: int) -> bool:
        """Goes on through the delivered events, oldest first; False once it came to one that is not old enough."""
        rows = connection.execute(
            "SELECT seq, received_ms, payload IS NULL FROM events WHERE seq > ? AND seq <= ?"
            " AND NOT EXISTS (SELECT 1 FROM dead_letters d WHERE d.seq = events.seq) ORDER BY seq LIMIT ?",
            (self._looked_to, self._delivered_to(connection), SLICE),
        ).fetchall()
        bodies = [(seq,) for seq, at, empty in rows if at < bodies_before and not empty]
        ids = [(seq,) for seq, at, _ in rows if at < ids_before]
        connection.executemany("UPDATE events SET payload = NULL WHERE seq = ?", bodies)
        connection.executemany("DELETE FROM events WHERE seq = ?", ids)
        more = len(rows) > 0 and rows[-1][1] < bodies_before
        self._looked_to = rows[-1][0] if more else 0
        return more

    def _over(self, connection: sqlite3.Connection) -> bool:
        size, pages, free = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_size", "page_count", "freelist_count")
        )
        self.used = size * (pages - free)
        return self.used >= self.max_size

    def _delivered_to(self, connection: sqlite3.Connection) -> int:
        marks = ",".join("?" * len(self._sinks))
        query = f"SELECT count(*), min(seq) FROM cursors WHERE sink IN ({marks})"  # noqa: S608 question marks only
        known, lowest = connection.execute(query, self._sinks).fetchone()
        return int(lowest) if known and known == len(self._sinks) else 0
