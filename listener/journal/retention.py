"""Decides what may leave the journal, and when it is full. Runs in the writer's thread, in slices."""

import sqlite3
import time
from collections.abc import Callable, Iterable

import msgspec
from msgspec.structs import replace

from listener.base.clock import now_ms
from listener.base.logs import get_logger
from listener.journal import cursors, identity, quarantine
from listener.journal.checkpoint import wal_cap
from listener.journal.cursors import NEVER
from listener.journal.database import BODY_OVERHEAD, transaction
from listener.journal.identity import DAY_MS, ROW_BYTES
from listener.journal.model import Pending

EVERY, WHILE_BUSY, WHILE_FULL, FORGET_SINKS_EVERY = 60.0, 0.05, 1.0, 3600.0  # seconds to the next look
LONGEST = 0.05  # seconds that a slice should take at most: an ack may be waiting
SLICE_MIN, SLICE_MAX = 16, 1024  # rows
ALMOST = 0.9  # of max_size: from here on delivered bodies leave early
COMMIT_SIZE, COMMIT_SHARE = 8 * 2**20, 16  # bytes of payloads a commit; in a small journal a 16th of its size
WAIT, MOST_WAITING = 1.0, 8 * 2**20  # seconds that events wait for room, and bytes of them
QUARANTINE_SHARE, TELL_AGAIN = 8, 60.0  # an eighth of max_size; seconds between warnings that some had to leave it
log = get_logger(__name__)


class Marks(msgspec.Struct, frozen=True):
    """What is known of the committed journal.

    The bodies take `used` bytes; `ids` fingerprints are kept. Up to the seq `bodies_from` no body may leave. The search
    for ids from before `ids_day` has come to `ids_from`. Every sink has the events up to `delivered`, since `moved_at`.
    """

    used: int = -1  # unknown until the first transaction
    ids: int = 0
    is_full: bool = False
    bodies_from: int = 0
    ids_day: int = 0
    ids_from: bytes | None = None
    quarantine_left: int = 0
    delivered: int = 0
    moved_at: float = float("-inf")
    traces: bool = False  # whether the write-ahead log may still hold bodies that have left


class Retention:
    """Keeps events for `keep_ms`, and ids a day longer than that and than a day; nothing undelivered leaves by itself.

    When bodies and ids take almost `max_size` bytes, delivered events leave early, oldest first; when undelivered ones
    alone take all of it, new ones are refused. A dead letter's body stays until it is retried or discarded. Unreadable
    payloads have a share of their own. Each transaction calls `begin` first and `committed` after its COMMIT: what is
    known changes only then.
    """

    def __init__(self, keep_ms: int, max_size: int) -> None:
        self.keep_ms, self.max_size = keep_ms, max_size
        self._marks = self._next = Marks()
        self._quarantine_told, self._tell_at = 0, 0.0
        self._configured, self._released = set[str](), set[str]()
        self.rows = SLICE_MIN * 4
        self._next_look = self._next_forget = self._next_cleaning = 0.0
        self._look_soon = False
        self.on_erased: Callable[[], None] = lambda: None  # events were erased by a command

    def watch(self, sinks: Iterable[str]) -> None:
        """Sets the sinks whose cursors hold events back; those of other sinks no longer do."""
        self._configured = set(sinks)

    def look_soon(self) -> None:
        """Has the writer remove at its next turn what may leave by new settings; may be called from any thread."""
        self._look_soon = True

    def hold(self, sink: str) -> None:
        """Has events wait for this sink again, after `release`."""
        self._released = self._released - {sink}

    def release(self, sink: str) -> None:
        """Lets events leave without this sink, which asks for nothing any more in this run."""
        self._released = self._released | {sink}

    def wal_cap(self) -> int:
        """Returns the bytes of WAL at which the writer checkpoints, too."""
        return wal_cap(self.max_size)

    @property
    def commit_size(self) -> int:
        """Returns the bytes of payloads that end a commit: `used` passes `max_size` by no more than one event."""
        return min(COMMIT_SIZE, self.max_size // COMMIT_SHARE)

    @property
    def holding(self) -> set[str]:
        """Returns the sinks for which events wait."""
        return self._configured - self._released

    @property
    def used(self) -> int:
        """Returns the bytes that committed bodies take."""
        return max(0, self._marks.used)

    @property
    def is_full(self) -> bool:
        """Returns whether the last event was refused for want of room."""
        return self._marks.is_full

    def begin(self) -> None:
        """Begins a transaction, or begins it anew after a ROLLBACK."""
        self._next = self._marks

    def committed(self) -> None:
        """Takes over what the transaction changed, now that it is committed, and logs what the operator must know."""
        was, self._marks = self._marks, self._next
        if was.is_full != self._marks.is_full:
            self._tell_full()
        if self._marks.quarantine_left > self._quarantine_told and time.monotonic() >= self._tell_at:
            self._tell_quarantine()

    def grown(self, connection: sqlite3.Connection, events: int, size: int) -> None:
        """Counts the events that this transaction stored, with payloads of `size` bytes together."""
        if events:
            self._resize(connection, size + BODY_OVERHEAD * events, events)

    def full(self, connection: sqlite3.Connection) -> bool:
        """Returns whether a new event has no room, after an attempt to make some; inside the caller's transaction."""
        self._learn(connection)
        more, until = True, time.monotonic() + LONGEST
        while self._is_crowded() and more and time.monotonic() < until:
            more = self._drop_bodies(connection, NEVER)
        self._next = replace(self._next, is_full=self._next.is_full and self._has_no_room())
        return self._has_no_room()

    def waiting(self, events: list[Pending]) -> list[Pending]:
        """Returns those new events that may wait for the room that sinks are making; the others count as refused."""
        now = time.monotonic()
        patient = [one for one in events if now - one.since < WAIT] if now - self._next.moved_at < WAIT else []
        if sum(len(one.payload) for one in patient) > MOST_WAITING:
            patient = []
        if len(patient) < len(events):
            self._next = replace(self._next, is_full=True)
        return patient

    def quarantine(self, connection: sqlite3.Connection, received_ms: int, reason: str, payload: bytes) -> None:
        """Keeps a payload that can't be read, and lets the oldest of these leave where their share is full."""
        left = quarantine.add(connection, (received_ms, reason, payload), self.max_size // QUARANTINE_SHARE)
        self._next = replace(self._next, quarantine_left=self._next.quarantine_left + left)

    @property
    def wants_clean_log(self) -> bool:
        """Returns whether bodies that have left should be removed from the write-ahead log now, too."""
        return self._marks.traces and time.monotonic() >= self._next_cleaning

    def log_cleaned(self, connection: sqlite3.Connection, whole: bool) -> None:
        """Notes that the log was cut to nothing (`whole`), or that a reader prevented it; then it is tried soon."""
        self._next_cleaning = time.monotonic() + (EVERY if whole else WHILE_FULL)
        if whole:
            self._marks = replace(self._marks, traces=False)
            connection.execute("UPDATE totals SET value = 0 WHERE name='erased' AND value < 0")

    def turn(self, connection: sqlite3.Connection, wanted: Callable[[], bool]) -> bool:
        """Removes what is old enough, until `wanted` returns True; returns whether it removed anything."""
        if time.monotonic() < self._next_look and not self._look_soon:
            return False
        self._look_soon = False
        changes, more = connection.total_changes, True
        self._marks = replace(self._marks, bodies_from=0)  # a discarded dead letter frees one far back
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
        """Removes one slice; returns whether there is more."""
        started, now = time.monotonic(), now_ms()
        with transaction(connection):
            self.begin()
            self._learn(connection)
            self._take_erased(connection)
            if forget := started >= self._next_forget:
                cursors.forget_sinks(connection, self._configured, now)
            more = self._drop_bodies(connection, NEVER if self._is_crowded() else now - self.keep_ms)
            if not identity.held(connection, now, self._ids_stay_ms):
                more |= self._drop_ids(connection, (now - self._ids_stay_ms) // DAY_MS)
            self._next = replace(self._next, is_full=self._next.is_full and self._has_no_room())
        self.committed()
        self._next_forget = started + FORGET_SINKS_EVERY if forget else self._next_forget
        self.pace(time.monotonic() - started)
        return more

    def pace(self, seconds: float) -> None:
        """Makes the slices shorter where one took long, as on a slow disk, else longer."""
        self.rows = max(SLICE_MIN, self.rows // 2) if seconds > LONGEST / 2 else min(SLICE_MAX, self.rows * 2)

    def _drop_bodies(self, connection: sqlite3.Connection, before_ms: int) -> bool:
        delivered_to, start = self._delivered_to(connection), self._next.bodies_from
        rows = connection.execute(
            "SELECT b.seq, e.received_ms, length(b.payload) FROM bodies b CROSS JOIN events e ON e.seq = b.seq"
            " WHERE b.seq > ? AND b.seq <= ?"
            " AND NOT EXISTS (SELECT 1 FROM dead_letters d WHERE d.seq = b.seq)"
            " AND NOT EXISTS (SELECT 1 FROM waiting w WHERE w.seq = b.seq) ORDER BY b.seq LIMIT ?",
            (start, delivered_to, self.rows),
        ).fetchall()
        old, young = _split([(seq, at) for seq, at, _ in rows], before_ms)
        if old:
            connection.executemany("DELETE FROM bodies WHERE seq = ?", old)
            connection.executemany("DELETE FROM events WHERE seq = ?", old)
            self._next = replace(self._next, traces=True)
            self._resize(connection, -sum(size + BODY_OVERHEAD for _, _, size in rows[: len(old)]))
        if young is not None:
            self._next = replace(self._next, bodies_from=young - 1)
            return False
        more = len(old) == self.rows
        self._next = replace(self._next, bodies_from=old[-1][0] if more else max(start, delivered_to))
        return more

    @property
    def _ids_stay_ms(self) -> int:
        """Returns how long ids stay. The day beyond `keep` is a margin for a clock that jumps a day ahead."""
        return max(self.keep_ms, DAY_MS) + DAY_MS

    def _drop_ids(self, connection: sqlite3.Connection, before_day: int) -> bool:
        """Removes one slice of the ids, from the lowest to the highest once a day; returns whether there is more."""
        if before_day != self._next.ids_day:
            self._next = replace(self._next, ids_day=before_day, ids_from=b"")
        if self._next.ids_from is None:
            return False
        left, ids_from = identity.forget(connection, before_day, self._next.ids_from, self.rows)
        if left:
            self._resize(connection, 0, -left)
        self._next = replace(self._next, ids_from=ids_from)
        return ids_from is not None

    def _take_erased(self, connection: sqlite3.Connection) -> None:
        """Takes what a command has erased off the totals; its row is -1 from then on, until the log is clean."""
        ((size,),) = connection.execute("SELECT value FROM totals WHERE name='erased'")
        if size > 0:
            self._resize(connection, -size)
            connection.execute("UPDATE totals SET value = -1 WHERE name='erased'")
            self.on_erased()
        if size:
            self._next = replace(self._next, traces=True)
            self._next_cleaning = 0.0

    def _tell_full(self) -> None:
        if not self.is_full:
            log.info("the journal has room again", used=self.used)
            return
        self._next_look = min(self._next_look, time.monotonic() + WHILE_FULL)
        log.error(
            "the journal is full: new events are refused until there is room",
            used=self.used,
            max_size=self.max_size,
            hint="a sink that is down holds its events back; repair it, or raise journal.max_size",
        )

    def _tell_quarantine(self) -> None:
        left, self._quarantine_told = self._marks.quarantine_left - self._quarantine_told, self._marks.quarantine_left
        self._tell_at = time.monotonic() + TELL_AGAIN
        what = "payloads that can't be read have filled their share of the journal: the oldest left it"
        log.warning(what, left=left, hint="helpdesk-listen dead-letters list --sink -, or raise journal.max_size")

    def _has_no_room(self) -> bool:
        return self._next.used >= self.max_size - self.commit_size

    def _is_crowded(self) -> bool:
        """Returns whether delivered events must leave early. New events are still taken: ids alone refuse nothing."""
        return self._next.used + self._next.ids * ROW_BYTES >= ALMOST * self.max_size

    def _learn(self, connection: sqlite3.Connection) -> None:
        """Reads the totals at the first transaction."""
        if self._next.used < 0:
            totals = dict(connection.execute("SELECT name, value FROM totals").fetchall())
            self._next = replace(self._next, used=totals["bodies"], ids=totals["ids"])

    def _resize(self, connection: sqlite3.Connection, bodies: int, ids: int = 0) -> None:
        """Counts bytes of bodies and ids that came or left, in the journal too: no start has to add them all up."""
        self._next = replace(self._next, used=self._next.used + bodies, ids=self._next.ids + ids)
        row = self._next.used, self._next.ids
        connection.execute("REPLACE INTO totals VALUES ('bodies', ?), ('ids', ?)", row)

    def _delivered_to(self, connection: sqlite3.Connection) -> int:
        """Returns the seq up to which every sink has everything, and no replay wants it."""
        delivered = cursors.delivered_to(connection, self.holding)
        if delivered != self._next.delivered:
            self._next = replace(self._next, delivered=delivered, moved_at=time.monotonic())
        return delivered


def _split(rows: list[tuple[int, int]], before_ms: int) -> tuple[list[tuple[int]], int | None]:
    """Returns (seqs of the rows before the first one that is not old enough, that one's seq)."""
    young = next((index for index, (_, at) in enumerate(rows) if at >= before_ms), None)
    return [(seq,) for seq, _ in rows[:young]], None if young is None else rows[young][0]
