"""Writes the journal in one thread: group commit, cursors, jobs from other threads, housekeeping when idle."""

import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from listener.base.clock import now_ms
from listener.base.errors import JournalError
from listener.base.logs import get_logger
from listener.journal.appending import Appender, Commit, Outcome
from listener.journal.checkpoint import WalProgress, wal_size
from listener.journal.database import connect, is_damage, transaction
from listener.journal.identity import Known
from listener.journal.lock import FileIdentity
from listener.journal.model import REFUSED, Cursor, Pending
from listener.journal.recent import Tail
from listener.journal.retention import Retention

MAX_BATCH = 2048  # events a commit
PAGE, PAGES_A_COMMIT = 4096, 8  # bytes; pages that a commit changes beside one or two for each row
CURSOR_DELAY = 0.2  # seconds that a cursor waits for an event to ride with
ROOM_DELAY = 0.05  # seconds until events that wait for room are tried again, if no sink's cursor comes before
LOOK = 0.1  # seconds between looks at the files and for other processes' changes; each takes as long as an insert
IDLE = 0.98  # seconds between these, and looks at retention, when nothing comes: what is wrong is told within 1 s
SET_CURSOR = (
    "INSERT INTO cursors VALUES (?,?,?,?) ON CONFLICT (sink) DO UPDATE"
    " SET seq=excluded.seq, position=excluded.position, updated_ms=excluded.updated_ms"
)
Job = Callable[[sqlite3.Connection], Any]
Task = tuple[Job, "Future[Any]"]
Cursors = dict[str, Cursor]
T = TypeVar("T")
GONE = "it was deleted or replaced while the daemon runs; put it back, or restart the daemon to begin a new journal"
log = get_logger(__name__)


class Writer:
    """The journal's only thread that writes. Any thread may `put` events, `submit` jobs and `advance` cursors.

    `on_settled` gets each batch of events after its commit, and returns whether it wakes those who wait for events.
    """

    def __init__(self, path: Path, tail: Tail, retention: Retention) -> None:
        self._connection = connect(path)
        self._connection.execute("PRAGMA cache_size=-2000")  # KiB
        self._wal_cap = 0
        self._places = [FileIdentity(path), FileIdentity(Path(f"{path}.lock"))]
        self._path = path
        self._tail, self._retention = tail, retention
        self._appender = Appender(self._connection, retention, lambda: tail.last_seq)
        self._queue: queue.SimpleQueue[Pending | Task | None] = queue.SimpleQueue()
        self._cursors: Cursors = {}
        self._waiting: list[Pending] = []  # for room
        self._guard = threading.Lock()
        self._stopping = False
        self._next_look, self._wal_grown, self._data_version = 0.0, 0, 0
        self._lost = ""  # which of the files is not at its place any more, and what to do
        self._thread = threading.Thread(target=self._run, name="journal-writer", daemon=True)
        self.on_settled: Callable[[list[Pending]], bool | None] = lambda batch: None
        self.on_broken: Callable[[BaseException], None] = lambda error: None
        self.on_damage: Callable[[], None] = lambda: None
        self.progress = WalProgress()
        self.failing: str | None = None  # why the last commit failed; None when it did not
        self.answered = time.monotonic()  # when the thread was last seen at work, for the watchdog

    def start(self) -> None:
        self._thread.start()

    def put(self, pending: Pending) -> None:
        self._queue.put(pending)

    def submit(self, job: Callable[[sqlite3.Connection], T]) -> "Future[T]":
        """Runs `job` inside the next transaction; the future gets its result, or its error, after the commit."""
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
        """Returns how many items wait for a commit."""
        return self._queue.qsize() + len(self._waiting)

    def stop(self, timeout: float) -> bool:
        """Writes what is queued, then ends; returns whether it did so in time."""
        self._stopping = True
        self._queue.put(None)
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while not (self._stopping and self._queue.empty() and not self._cursors and not self._waiting):
                self.turn()
            self._connection.close()
        except BaseException as e:
            log.exception("the journal's writer ended")
            self.on_broken(e)

    def turn(self) -> None:
        """Commits what has queued up and does some housekeeping; the thread repeats this."""
        events, tasks = self._take()
        self.answered = time.monotonic()
        if looks := self.answered >= self._next_look or bool(self._lost):
            self._next_look = self.answered + LOOK
            self._lost = next((f"{place.path}: {GONE}" for place in self._places if not place.holds()), "")
        if events or tasks or self._cursors:
            self._commit(events, tasks)
        elif self._lost:
            self._note_failure(self._lost, 0)
        if looks:
            self._watch_others()
        if looks or self._wal_grown >= self._wal_cap // 2:
            self._watch_wal()
        self.progress.begun += 1
        self._keep_house()

    def _watch_others(self) -> None:
        """Has retention and the sinks' workers look where another process has changed something."""
        ((version,),) = self._connection.execute("PRAGMA data_version")
        if version != self._data_version:
            self._data_version = version
            self._retention.look_soon()
            self._tail.changed()

    def _keep_house(self) -> None:
        """Removes what may leave the journal, then cleans the log of it."""
        if self.failing:
            return
        if self._retention.turn(self._connection, self._wanted):
            self.progress.note()
        if self._retention.wants_clean_log and not self._wanted():
            self._clean_log()

    def _clean_log(self) -> None:
        """Cuts the log to nothing: what has left the database stays in old frames until they are overwritten."""
        self.progress.begun += 1
        try:
            with transaction(self._connection):  # a checkpoint must have something to move, see checkpoint.py
                self._connection.execute("UPDATE totals SET value = ? WHERE name='ids_checked_ms'", (now_ms(),))
            self.progress.note()
            self._retention.log_cleaned(self._connection, self.progress.truncate(self._connection))
        except sqlite3.Error as e:
            log.warning("the write-ahead log can't be cleaned of what has left the journal", because=str(e))
            self._retention.log_cleaned(self._connection, False)

    def _watch_wal(self) -> None:
        """Checkpoints, too, where the WAL outgrows its cap."""
        self._wal_grown = 0
        if self._wal_cap != (cap := self._retention.wal_cap()):
            self._wal_cap = cap
            # The log is written over, not truncated and grown again: a sync takes a third less time.
            self._connection.execute(f"PRAGMA journal_size_limit={cap}")
        if wal_size(self._path) > self._wal_cap:
            self.progress.checkpoint(self._connection)

    def _wanted(self) -> bool:
        """Returns whether housekeeping must end for now."""
        return self._stopping or not self._queue.empty()

    def _take(self) -> tuple[list[Pending], list[Task]]:
        """Takes what has queued up: waits for the first item, never for more, but a cursor alone waits for others."""
        items = self._drain(ROOM_DELAY if self._waiting else CURSOR_DELAY if self._cursors else IDLE)
        if items == [None] and not self._stopping and not self._waiting:
            items += self._drain(CURSOR_DELAY)
        return self._waiting + [i for i in items if isinstance(i, Pending)], [i for i in items if isinstance(i, tuple)]

    def _drain(self, timeout: float) -> list[Pending | Task | None]:
        items: list[Pending | Task | None] = []
        size, most = 0, self._retention.commit_size
        try:
            items.append(self._queue.get(timeout=timeout))
            while len(items) < MAX_BATCH and size < most:
                items.append(self._queue.get_nowait())
                size += len(items[-1].payload) if isinstance(items[-1], Pending) else 0
        except queue.Empty:
            pass
        return items

    def _commit(self, events: list[Pending], tasks: list[Task]) -> None:
        with self._guard:
            cursors, self._cursors = self._cursors, {}
        try:
            try:
                done = self._transaction(events, tasks, cursors)
            except Known:
                done = self._transaction(events, tasks, cursors, sort_out=True)
        except Exception as e:  # whatever it is: the batch is refused, and the writer goes on
            self._failed(e, events, tasks, cursors)
        else:
            self._committed(events, done)

    def _transaction(
        self, events: list[Pending], tasks: list[Task], cursors: Cursors, *, sort_out: bool = False
    ) -> Commit:
        """Writes all of it, or nothing and raises. State in memory stays as it is until the COMMIT has succeeded."""
        if self._lost:
            raise JournalError(self._lost)
        self.progress.begun += 1
        done = Commit()
        with transaction(self._connection):
            self._retention.begin()
            if cursors:  # first: what they say is delivered makes room for the events
                now = now_ms()
                rows = [(sink, cursor.seq, cursor.position, now) for sink, cursor in cursors.items()]
                self._connection.executemany(SET_CURSOR, rows)
                done.rows += len(rows)
            if events:
                self._appender.insert(events, done, sort_out=sort_out)
            before = self._connection.total_changes
            done.outcomes = [self._do(job, future) for job, future in tasks]
            if any(error is None for _, _, error in done.outcomes):
                done.rows += self._connection.total_changes - before
        return done

    def _do(self, job: Job, future: "Future[Any]") -> Outcome:
        """Runs a job; one that fails takes nothing else with it, unless SQLite gave up the whole transaction."""
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

    def _committed(self, events: list[Pending], done: Commit) -> None:
        """Updates what is in memory and answers, now that the COMMIT has succeeded."""
        self._retention.committed()
        if done.rows:
            self.progress.note()
            self._wal_grown += (done.rows + PAGES_A_COMMIT) * PAGE + done.size
        done.settle()
        if self.failing:
            log.info("the journal can be written again")
        self.failing = None
        if done.kept:
            self._tail.extend(done.kept, done.size)
        self._waiting = done.waiting
        if done.waiting:
            events = [one for one, _, _ in done.answers]
        if not self._settle(events) and done.kept:
            self._tail.wake()
        done.resolve()
        if done.outcomes:
            self._tail.changed()

    def _failed(self, error: Exception, events: list[Pending], tasks: list[Task], cursors: Cursors) -> None:
        """Answers where nothing of the batch is on disk: the platform pushes again, cursors wait for a commit."""
        self._note_failure(str(error), len(events))
        if is_damage(error):
            self.on_damage()
        self._waiting = []
        for pending in events:
            pending.code = REFUSED
        for _, future in tasks:
            future.set_exception(error)
        with self._guard:
            self._cursors = cursors | self._cursors
        if events:
            self._settle(events)
        else:
            time.sleep(CURSOR_DELAY)  # only cursors: no busy loop on a full disk

    def _settle(self, events: list[Pending]) -> bool:
        """Gives each event's code to whoever fetched it, or to the source; returns whether that wakes the sinks.

        The sinks wake once the acks are out: one that wakes up before holds the interpreter for a slice of events.
        """
        pushed = [one for one in events if one.kept is None]
        for one in events:
            if one.kept is not None:
                one.kept.set_result(one.code)
        return bool(pushed and self.on_settled(pushed))

    def _note_failure(self, reason: str, refused: int) -> None:
        if self.failing != reason:
            log.error("the journal can't be written: events are refused", because=reason, refused=refused)
        self.failing = reason
