"""What may leave the journal, and when it is full. Runs in the writer's thread, in slices."""

import sqlite3
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from listener.base.clock import now_ms, uptime
from listener.base.logs import get_logger
from listener.journal.database import BODY_OVERHEAD, bodies_bytes, transaction

EVERY, WHILE_BUSY, WHILE_FULL = 60.0, 0.05, 1.0  # seconds to the next look
FORGET_SINKS_EVERY = 3600.0  # seconds
LONGEST = 0.05  # seconds that a slice should take at most: an ack may be waiting
SLICE_MIN, SLICE_MAX = 16, 1024  # rows
ALMOST = 0.9  # of max_size: from here on delivered bodies leave early
DAY_MS = 86_400_000
SINK_GONE_MS = 30 * DAY_MS
CLOCK_JUMP = 3600.0  # seconds ahead of the time that really passed: the clock was wrong before
QUARANTINE_SHARE = 8  # quarantined payloads take at most this part of max_size
NEVER = 1 << 62
log = get_logger(__name__)


@dataclass(frozen=True)
class Marks:
    """What is known of the committed journal: `used` bytes of bodies; up to the seqs, none is left that may leave."""

    used: int = -1  # unknown until the first transaction
    bodies_from: int = 0
    ids_from: int = 0


class Retention:
    """Bodies stay for `keep_ms`, ids a day longer than that and than a day; nothing undelivered leaves by itself.

    When bodies take almost `max_size` bytes, delivered ones leave early, oldest first; with none left, events wait.
    A dead letter's body stays until it is retried or discarded. Payloads that can't be read have a share of their own,
    which the oldest leave. Each transaction calls `begin` first and `committed` after its COMMIT: what is known moves
    only then.
    """

    def __init__(self, keep_ms: int, max_size: int) -> None:
        self.keep_ms, self.max_size = keep_ms, max_size
        self.is_full = False
        self._marks = self._next = Marks()
        self._configured: set[str] = set()
        self._released: set[str] = set()
        self._clock = now_ms() / 1000 - uptime()
        self._ids_trusted_at = 0.0  # uptime; before it, ids of before a jump of the clock stay
        self._ids_held_to = 0  # seq
        self._rows = SLICE_MIN * 4
        self._next_look = self._next_forget = 0.0

    def watch(self, sinks: Iterable[str]) -> None:
        """Only these sinks' cursors hold events back."""
        self._configured = set(sinks)

    def hold(self, sink: str) -> None:
        """This one asks for events again, after `release`."""
        self._released = self._released - {sink}

    def release(self, sink: str) -> None:
        """This one won't ask for anything any more in this run: its events need not wait for it."""
        self._released = self._released | {sink}

    @property
    def holding(self) -> set[str]:
        """The sinks whose events wait for them."""
        return self._configured - self._released

    @property
    def used(self) -> int:
        """Bytes that bodies take, as far as they are committed."""
        return max(0, self._marks.used)

    def begin(self) -> None:
        """A transaction begins, or begins anew after a ROLLBACK."""
        self._next = self._marks

    def committed(self) -> None:
        """The transaction's COMMIT is through."""
        self._marks = self._next

    def grown(self, connection: sqlite3.Connection, size: int) -> None:
        """Events with bodies of so many bytes were stored in this transaction."""
        if size:
            self._resize(connection, size)

    def full(self, connection: sqlite3.Connection) -> bool:
        """Whether a new event has no room, after an attempt to make some; inside the caller's transaction."""
        over, more, until = self._over(connection), True, time.monotonic() + LONGEST
        while over and more and time.monotonic() < until:
            more = self._drop_bodies(connection, NEVER)
            over = self._over(connection)
        self._note(over)
        return over

    def quarantine(self, connection: sqlite3.Connection, received_ms: int, reason: str, payload: bytes) -> None:
        """Keeps a payload that can't be read, and lets the oldest of these leave where their share is full."""
        row = (received_ms, reason, payload)
        connection.execute("INSERT INTO aside (received_ms, reason, payload) VALUES (?,?,?)", row)
        ((size,),) = connection.execute("SELECT sum(length(payload)) + count(*) * ? FROM aside", (BODY_OVERHEAD,))
        left = 0
        while size > self.max_size // QUARANTINE_SHARE and left < SLICE_MAX:
            query = "DELETE FROM aside WHERE id = (SELECT min(id) FROM aside) RETURNING length(payload)"
            ((gone,),) = connection.execute(query).fetchall()
            size, left = size - gone - BODY_OVERHEAD, left + 1
        if left:
            connection.execute("UPDATE totals SET value = value + ? WHERE name='aside_left'", (left,))
            what = "payloads that can't be read have filled their share of the journal: the oldest left it"
            log.warning(what, left=left, hint="helpdesk-listen dead-letters list --sink -, or raise journal.max_size")

    def turn(self, connection: sqlite3.Connection, wanted: Callable[[], bool]) -> bool:
        """Removes what is old enough until `wanted` elsewhere; says whether it removed anything."""
        if time.monotonic() < self._next_look:
            return False
        changes, more = connection.total_changes, True
        self._marks = replace(self._marks, bodies_from=0, ids_from=0)  # a discarded dead letter frees one far back
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
            self.begin()
            self._watch_clock(connection)
            if forget := started >= self._next_forget:
                self._forget_sinks(connection, now)
            crowded = self._used(connection) >= ALMOST * self.max_size
            more = self._drop_bodies(connection, NEVER if crowded else now - self.keep_ms)
            # The ids' margin of a day: a clock that jumps forward by one forgets nothing.
            more |= self._drop_ids(connection, now - max(self.keep_ms, DAY_MS) - DAY_MS)
        self.committed()
        self._next_forget = started + FORGET_SINKS_EVERY if forget else self._next_forget
        self._note(self.used >= self.max_size and self.is_full)
        self._pace(time.monotonic() - started)
        return more

    def _pace(self, seconds: float) -> None:
        """A slow disk, or pages that are not in memory, make the slices shorter."""
        self._rows = max(SLICE_MIN, self._rows // 2) if seconds > LONGEST / 2 else min(SLICE_MAX, self._rows * 2)

    def _drop_bodies(self, connection: sqlite3.Connection, before_ms: int) -> bool:
        delivered_to, start = self._delivered_to(connection), self._next.bodies_from
        rows = connection.execute(
            "SELECT b.seq, e.received_ms, length(b.payload) FROM bodies b CROSS JOIN events e ON e.seq = b.seq"
            " WHERE b.seq > ? AND b.seq <= ?"
            " AND NOT EXISTS (SELECT 1 FROM dead_letters d WHERE d.seq = b.seq)"
            " AND NOT EXISTS (SELECT 1 FROM waiting w WHERE w.seq = b.seq) ORDER BY b.seq LIMIT ?",
            (start, delivered_to, self._rows),
        ).fetchall()
        old, young = _split([(seq, at) for seq, at, _ in rows], before_ms)
        if old:
            connection.executemany("DELETE FROM bodies WHERE seq = ?", old)
            self._resize(connection, -sum(size + BODY_OVERHEAD for _, _, size in rows[: len(old)]))
        if young is not None:
            self._next = replace(self._next, bodies_from=young - 1)
            return False
        more = len(old) == self._rows
        self._next = replace(self._next, bodies_from=old[-1][0] if more else max(start, delivered_to))
        return more

    def _drop_ids(self, connection: sqlite3.Connection, before_ms: int) -> bool:
        start = self._next.ids_from
        if start < self._ids_held_to and uptime() < self._ids_trusted_at:
            return False
        rows = connection.execute(
            "SELECT seq, received_ms FROM events WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
            (start, self._next.bodies_from, self._rows),
        ).fetchall()
        old, young = _split(rows, before_ms)
        without = "DELETE FROM events WHERE seq = ? AND NOT EXISTS (SELECT 1 FROM bodies b WHERE b.seq = events.seq)"
        connection.executemany(without, old)
        self._next = replace(self._next, ids_from=old[-1][0] if old else start)
        return young is None and len(rows) == self._rows

    def _watch_clock(self, connection: sqlite3.Connection) -> None:
        """Holds the ids that came under a clock that was behind: by their times they look older than they are."""
        clock = now_ms() / 1000 - uptime()
        if clock - self._clock > CLOCK_JUMP:
            (last,) = connection.execute("SELECT ifnull(max(seq), 0) FROM events").fetchone()
            self._ids_held_to = int(last)
            self._ids_trusted_at = uptime() + (max(self.keep_ms, DAY_MS) + DAY_MS) / 1000
            log.warning(
                "the clock was put forward: ids stay as long as if they had come now",
                by_seconds=round(clock - self._clock),
            )
        self._clock = clock

    def _forget_sinks(self, connection: sqlite3.Connection, now: int) -> None:
        """Cursors of sinks that were taken out of the configuration long ago, and what was ordered for them."""
        if not self._configured:
            return
        here = [(now, sink) for sink in self._configured]
        connection.executemany("UPDATE cursors SET updated_ms=? WHERE sink=?", here)
        connection.execute("DELETE FROM cursors WHERE updated_ms < ?", (now - SINK_GONE_MS,))
        connection.execute("DELETE FROM orders WHERE sink NOT IN (SELECT sink FROM cursors)")
        connection.execute("DELETE FROM waiting WHERE sink NOT IN (SELECT sink FROM cursors)")

    def _note(self, full: bool) -> None:
        was, self.is_full = self.is_full, full
        if full and not was:
            self._next_look = min(self._next_look, time.monotonic() + WHILE_FULL)
            log.error(
                "the journal is full: new events are refused until there is room",
                used=self.used,
                max_size=self.max_size,
                hint="a sink that is down holds its events back; mend it, or raise journal.max_size",
            )
        elif was and not full:
            log.info("the journal has room again", used=self.used)

    def _over(self, connection: sqlite3.Connection) -> bool:
        return self._used(connection) >= self.max_size

    def _used(self, connection: sqlite3.Connection) -> int:
        if self._next.used < 0:
            self._next = replace(self._next, used=bodies_bytes(connection))
        return self._next.used

    def _resize(self, connection: sqlite3.Connection, change: int) -> None:
        """Counts bytes of bodies that came or left, in the journal too: the next start need not add them all up."""
        self._next = replace(self._next, used=self._used(connection) + change)
        connection.execute("UPDATE totals SET value = ? WHERE name='bodies'", (self._next.used,))

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
