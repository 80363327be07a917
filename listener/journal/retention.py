"""What may leave the journal, and when it is full. Runs in the writer's thread, in slices."""

import sqlite3
import time
from collections.abc import Callable, Iterable

from listener.base.clock import now_ms
from listener.base.logs import get_logger
from listener.journal.database import page_count, page_size, transaction, used_bytes

EVERY, WHILE_BUSY, WHILE_FULL = 60.0, 0.05, 1.0  # seconds to the next look
FROM_THE_START_EVERY = 3600.0  # seconds: a dead letter that was discarded frees an event far back
LONGEST = 0.05  # seconds that a slice should take at most: an ack may be waiting
SLICE_MIN, SLICE_MAX = 16, 1024  # rows
WINDOW = 20_000  # seqs looked at for a slice
ALMOST = 0.9  # of max_size: from here on delivered bodies leave early
DAY_MS = 86_400_000
SINK_GONE_MS = 30 * DAY_MS
NEVER = 1 << 62
log = get_logger(__name__)


class Retention:
    """Bodies stay for `keep_ms`, ids a day longer than that and than a day; nothing undelivered leaves by itself.

    When `max_size` bytes are almost in use, delivered bodies leave early, oldest first; with none left, events wait.
    A dead letter's body stays until it is retried or discarded, what was kept aside until it is discarded.
    """

    def __init__(self, keep_ms: int, max_size: int) -> None:
        self.keep_ms, self.max_size = keep_ms, max_size
        self.is_full = False
        self.used = 0  # bytes in use
        self._page_size = 0  # bytes; unknown
        self._configured: set[str] = set()
        self._released: set[str] = set()
        self._bodies_from = self._ids_from = 0  # up to this seq there is none that may leave
        self._rows = SLICE_MIN * 4
        self._next_look = self._next_start = 0.0

    def watch(self, sinks: Iterable[str]) -> None:
        """Only these sinks' cursors hold events back."""
        self._configured = set(sinks)

    def release(self, sink: str) -> None:
        """This one won't ask for anything any more in this run: its events need not wait for it."""
        self._released = self._released | {sink}

    @property
    def holding(self) -> set[str]:
        """The sinks whose events wait for them."""
        return self._configured - self._released

    def full(self, connection: sqlite3.Connection) -> bool:
        """Whether a new event has no room, after an attempt to make some; inside the caller's transaction."""
        over, more, until = self._over(connection), True, time.monotonic() + LONGEST
        while over and more and time.monotonic() < until:
            more = self._drop_bodies(connection, NEVER)
            over = self._over(connection)
        self._note(over)
        return over

    def turn(self, connection: sqlite3.Connection, wanted: Callable[[], bool]) -> bool:
        """Removes what is old enough until `wanted` elsewhere; says whether it removed anything."""
        if time.monotonic() < self._next_look:
            return False
        changes, more = connection.total_changes, True
        try:
            while more:
                more = self._look(connection)
                if wanted():
                    break
        except sqlite3.Error as e:
            log.warning("old events can't be removed", because=str(e))
            more = False
        self._next_look = time.monotonic() + (WHILE_BUSY if more else WHILE_FULL if self.is_full else EVERY)
        return connection.total_changes != changes

    def _look(self, connection: sqlite3.Connection) -> bool:
        """One slice; whether there is more."""
        started, now = time.monotonic(), now_ms()
        with transaction(connection):
            if started >= self._next_start:
                self._next_start = started + FROM_THE_START_EVERY
                self._bodies_from = self._ids_from = 0
                self._forget_sinks(connection, now)
            crowded = self._used(connection) >= ALMOST * self.max_size
            more = self._drop_bodies(connection, NEVER if crowded else now - self.keep_ms)
            # The ids' margin of a day: a clock that jumps forward by one forgets nothing.
            more |= self._drop_ids(connection, now - max(self.keep_ms, DAY_MS) - DAY_MS)
        self._note(self._used(connection) >= self.max_size and self.is_full)
        self._pace(time.monotonic() - started)
        return more

    def _pace(self, seconds: float) -> None:
        """A slow disk, or pages that are not in memory, make the slices shorter."""
        self._rows = max(SLICE_MIN, self._rows // 2) if seconds > LONGEST / 2 else min(SLICE_MAX, self._rows * 2)

    def _drop_bodies(self, connection: sqlite3.Connection, before_ms: int) -> bool:
        delivered_to = self._delivered_to(connection)
        end = min(delivered_to, self._bodies_from + WINDOW)
        rows = connection.execute(
            "SELECT seq, received_ms FROM events WHERE seq > ? AND seq <= ? AND payload IS NOT NULL"
            " AND NOT EXISTS (SELECT 1 FROM dead_letters d WHERE d.seq = events.seq) ORDER BY seq LIMIT ?",
            (self._bodies_from, end, self._rows),
        ).fetchall()
        old, young = _split(rows, before_ms)
        connection.executemany("UPDATE events SET payload = NULL WHERE seq = ?", old)
        if young is not None:
            self._bodies_from = young - 1
            return False
        self._bodies_from = old[-1][0] if len(old) == self._rows else max(self._bodies_from, end)
        return self._bodies_from < delivered_to

    def _drop_ids(self, connection: sqlite3.Connection, before_ms: int) -> bool:
        rows = connection.execute(
            "SELECT seq, received_ms FROM events WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
            (self._ids_from, self._bodies_from, self._rows),
        ).fetchall()
        old, young = _split(rows, before_ms)
        connection.executemany("DELETE FROM events WHERE seq = ? AND payload IS NULL", old)
        self._ids_from = old[-1][0] if old else self._ids_from
        return young is None and len(rows) == self._rows

    def _forget_sinks(self, connection: sqlite3.Connection, now: int) -> None:
        """Cursors of sinks that were taken out of the configuration long ago, and what was ordered for them."""
        if not self._configured:
            return
        here = [(now, sink) for sink in self._configured]
        connection.executemany("UPDATE cursors SET updated_ms=? WHERE sink=?", here)
        connection.execute("DELETE FROM cursors WHERE updated_ms < ?", (now - SINK_GONE_MS,))
        connection.execute("DELETE FROM orders WHERE sink NOT IN (SELECT sink FROM cursors)")

    def _note(self, full: bool) -> None:
        was, self.is_full = self.is_full, full
        if full and not was:
            log.error(
                "the journal is full: new events are refused until there is room",
                used=self.used,
                max_size=self.max_size,
                hint="a sink that is down holds its events back; mend it, or raise journal.max_size",
            )
        elif was and not full:
            log.info("the journal has room again", used=self.used)

    def _over(self, connection: sqlite3.Connection) -> bool:
        """Asks for what is in use only where the file is that large: each commit asks this, and pays for the answer."""
        self._page_size = self._page_size or page_size(connection)
        large = page_count(connection) * self._page_size >= self.max_size
        return large and self._used(connection) >= self.max_size

    def _used(self, connection: sqlite3.Connection) -> int:
        self.used = used_bytes(connection)
        return self.used

    def _delivered_to(self, connection: sqlite3.Connection) -> int:
        """Every sink has, and no order wants, what is up to here."""
        sinks = tuple(self.holding)
        marks = ",".join("?" * len(sinks))
        query = f"SELECT count(*), min(seq) FROM cursors WHERE sink IN ({marks})"  # noqa: S608 question marks only
        known, lowest = connection.execute(query, sinks).fetchone()
        query = f"SELECT min(done_seq) FROM orders WHERE kind='replay' AND sink IN ({marks})"  # noqa: S608
        (ordered,) = connection.execute(query, sinks).fetchone()
        return min(int(lowest), NEVER if ordered is None else int(ordered)) if known and known == len(sinks) else 0


def _split(rows: list[tuple[int, int]], before_ms: int) -> tuple[list[tuple[int]], int | None]:
    """(seqs of the rows before the first one that is not old enough, that one's seq)."""
    for index, (seq, at) in enumerate(rows):
        if at >= before_ms:
            return [(s,) for s, _ in rows[:index]], seq
    return [(s,) for s, _ in rows], None
