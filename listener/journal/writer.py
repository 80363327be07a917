"""The one thread that writes: group commit, cursors, jobs from other threads, housekeeping when idle."""

import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import astuple

from listener.base.clock import now_ms
from listener.base.logs import get_logger
from listener.event import Received
from listener.journal.checkpoint import CAP, Progress, wal_size
from listener.journal.database import connect, is_damage, transaction
from listener.journal.model import KEPT, REFUSED, Cursor, Pending
from listener.journal.recent import Tail
from listener.journal.retention import Retention

MAX_BATCH = 2048  # events a commit
CURSOR_DELAY = 0.2  # seconds that a cursor waits for an event to ride with
WAL_LOOK = 0.1  # seconds between looks at the WAL's size, which take as long as a small commit's inserts
IDLE = 1.0  # seconds between looks at retention when nothing comes
SET_CURSOR = (
    "INSERT INTO cursors VALUES (?,?,?,?) ON CONFLICT (sink) DO UPDATE"
    " SET seq=excluded.seq, position=excluded.position, updated_ms=excluded.updated_ms"
)
# By rows: one statement of many takes a sixth less time, and gives the interpreter's lock away once, not for each row.
_ROWS = (128, 64, 32, 16, 8, 4, 2, 1)
INSERTS = {n: "INSERT OR IGNORE INTO events VALUES " + ",".join(["(?,?,?,?,?)"] * n) for n in _ROWS}  # noqa: S608
Job = Callable[[sqlite3.Connection], Any]
Task = tuple[Job, "Future[Any]"]
Cursors = dict[str, Cursor]
Outcome = tuple["Future[Any]", Any, BaseException | None]
T = TypeVar("T")
log = get_logger(__name__)


class Writer:
    """`put` events, `submit` jobs, `advance` cursors from any thread; `on_settled` gets each batch after its commit."""

    def __init__(self, path: Path, tail: Tail, retention: Retention) -> None:
        self._connection = connect(path)
        self._connection.execute("PRAGMA cache_size=-2000")  # KiB
        # The log is written over, not truncated and grown again: a sync takes a third less time.
        self._connection.execute(f"PRAGMA journal_size_limit={CAP}")
        self._path = path
        self._tail, self._retention = tail, retention
        self._queue: queue.SimpleQueue[Pending | Task | None] = queue.SimpleQueue()
        self._cursors: Cursors = {}
        self._guard = threading.Lock()
        self._stopping = False
        self._next_wal_look = 0.0
        self._thread = threading.Thread(target=self._run, name="journal-writer", daemon=True)
        self.on_settled: Callable[[list[Pending]], None] = lambda batch: None
        self.on_broken: Callable[[BaseException], None] = lambda error: None
        self.on_damage: Callable[[], None] = lambda: None
        self.progress = Progress()
        self.failing: str | None = None  # why the last commit failed; None when it did not
        self.answered = time.monotonic()  # when the thread was last seen at work, for the watchdog

    def start(self) -> None:
        self._thread.start()

    def put(self, pending: Pending) -> None:
        self._queue.put(pending)

    def submit(self, job: Callable[[sqlite3.Connection], T]) -> "Future[T]":
        """Runs `job` inside the next transaction; its result, or the error, is in the future after the commit."""
        future: Future[T] = Future()
        self._queue.put((job, future))
        return future

    def advance(self, sink: str, cursor: Cursor) -> None:
        with self._guard:
            first = not self._cursors
            self._cursors[sink] = cursor
        if first:
            self._queue.put(None)

    def backlog(self) -> int:
        """Items that wait for a commit."""
        return self._queue.qsize()

    def stop(self, timeout: float) -> bool:
        """Writes what is queued, then ends; says whether it did so in time."""
        self._stopping = True
        self._queue.put(None)
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while not (self._stopping and self._queue.empty() and not self._cursors):
                self.turn()
            self._connection.close()
        except BaseException as e:
            log.exception("the journal's writer ended")
            self.on_broken(e)

    def turn(self) -> None:
        """One commit of what has queued up, and some housekeeping. The thread does nothing but this."""
        events, tasks = self._take()
        self.answered = time.monotonic()
        if events or tasks or self._cursors:
            self._commit(events, tasks)
        if self.answered >= self._next_wal_look:
            self._next_wal_look = self.answered + WAL_LOOK
            if wal_size(self._path) > CAP:
                self.progress.checkpoint(self._connection)
        self.progress.begun += 1
        if self._retention.turn(self._connection, self._wanted):
            self.progress.wrote = self.progress.begun

    def _wanted(self) -> bool:
        """Whether housekeeping must end for now."""
        return self._stopping or not self._queue.empty()

    def _take(self) -> tuple[list[Pending], list[Task]]:
        """What has queued up: waits for the first, never for more. Cursors alone wait a little for company."""
        items = self._drain(CURSOR_DELAY if self._cursors else IDLE)
        if items == [None] and not self._stopping:
            items += self._drain(CURSOR_DELAY)
        return [i for i in items if isinstance(i, Pending)], [i for i in items if isinstance(i, tuple)]

    def _drain(self, timeout: float) -> list[Pending | Task | None]:
        items: list[Pending | Task | None] = []
        try:
            items.append(self._queue.get(timeout=timeout))
            while len(items) < MAX_BATCH:
                items.append(self._queue.get_nowait())
        except queue.Empty:
            pass
        return items

    def _commit(self, events: list[Pending], tasks: list[Task]) -> None:
        with self._guard:
            cursors, self._cursors = self._cursors, {}
        try:
            kept, outcomes = self._transaction(events, tasks, cursors)
        except Exception as e:  # whatever it is: the batch is refused, and the writer goes on
            self._failed(e, events, tasks, cursors)
        else:
            self._committed(events, kept, outcomes)

    def _transaction(
        self, events: list[Pending], tasks: list[Task], cursors: Cursors
    ) -> tuple[list[Received], list[Outcome]]:
        self.progress.begun += 1
        with transaction(self._connection):
            kept = self._insert(events) if events else []
            if cursors:
                now = now_ms()
                rows = [(sink, cursor.seq, cursor.position, now) for sink, cursor in cursors.items()]
                self._connection.executemany(SET_CURSOR, rows)
            outcomes = [self._do(job, future) for job, future in tasks]
        if kept or cursors:
            self.progress.wrote = self.progress.begun
        return kept, outcomes

    def _do(self, job: Job, future: "Future[Any]") -> Outcome:
        """A job that fails takes nothing with it, unless SQLite gave up the whole transaction."""
        self._connection.execute("SAVEPOINT job")
        try:
            outcome: Outcome = future, job(self._connection), None
        except Exception as e:
            if not self._connection.in_transaction:
                raise
            self._connection.execute("ROLLBACK TO job")
            outcome = future, None, e
        self._connection.execute("RELEASE job")
        return outcome

    def _committed(self, events: list[Pending], kept: list[Received], outcomes: list[Outcome]) -> None:
        if self.failing:
            log.info("the journal can be written again")
        self.failing = None
        if kept:
            self._tail.extend(kept)
        if events:
            self.on_settled(events)
        if kept:
            self._tail.wake()  # after the acks: a sink that wakes up holds the interpreter for a slice of events
        for future, result, error in outcomes:
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

    def _failed(self, error: Exception, events: list[Pending], tasks: list[Task], cursors: Cursors) -> None:
        """Nothing of the batch is on disk: the platform pushes again, cursors wait for the next commit."""
        if self.failing != str(error):
            log.error("the journal can't be written: events are refused", because=str(error), refused=len(events))
        self.failing = str(error)
        if is_damage(error):
            self.on_damage()
        for pending in events:
            pending.code = REFUSED
        for _, future in tasks:
            future.set_exception(error)
        with self._guard:
            self._cursors = cursors | self._cursors
        if events:
            self.on_settled(events)
        else:
            time.sleep(CURSOR_DELAY)  # only cursors: no busy loop on a full disk

    def _insert(self, batch: list[Pending]) -> list[Received]:
        """Keeps each event once; sets `code` and `duplicate` of all. A full journal still knows its duplicates."""
        connection = self._connection
        aside = [p for p in batch if p.unreadable]
        readable = [p for p in batch if not p.unreadable] if aside else batch
        if self._retention.full(connection):
            self._fresh(readable)
            for pending in batch:
                pending.code = KEPT if pending.duplicate else REFUSED
            return []
        kept = self._keep_once(readable)
        for p in aside:
            row = (p.received_ms, p.unreadable, p.payload)
            connection.execute("INSERT INTO aside (received_ms, reason, payload) VALUES (?,?,?)", row)
        for pending in batch:
            pending.code = KEPT
        return kept

    def _keep_once(self, batch: list[Pending]) -> list[Received]:
        """First in its transaction, which a duplicate begins anew: a savepoint would cost every batch a fifth."""
        kept = self._number(batch)
        if self._store(kept) != len(kept):  # a duplicate among them, which is rare: sort them out
            self._connection.execute("ROLLBACK")
            self._connection.execute("BEGIN IMMEDIATE")
            kept = self._number(self._fresh(batch))
            if self._store(kept) != len(kept):
                raise sqlite3.IntegrityError(f"seq {kept[0].seq} or one after it is taken")
        return kept

    def _number(self, batch: list[Pending]) -> list[Received]:
        first = self._tail.last_seq + 1
        return [Received(s, p.event_id, p.event_type, p.received_ms, p.payload) for s, p in enumerate(batch, first)]

    def _store(self, events: list[Received]) -> int:
        before, start = self._connection.total_changes, 0
        for rows, insert in INSERTS.items():
            while len(events) - start >= rows:
                part = events[start : start + rows]
                self._connection.execute(insert, list(chain.from_iterable(map(astuple, part))))
                start += rows
        return self._connection.total_changes - before

    def _fresh(self, batch: list[Pending]) -> list[Pending]:
        seen: set[str] = set()
        for pending in batch:
            known = self._connection.execute("SELECT 1 FROM events WHERE event_id=?", (pending.event_id,)).fetchone()
            pending.duplicate = known is not None or pending.event_id in seen
            seen.add(pending.event_id)
        return [p for p in batch if not p.duplicate]
