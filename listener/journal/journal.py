"""The journal's interface: open it, append events, read them back, keep the sinks' cursors."""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

from listener.base.clock import now_ms
from listener.base.errors import JournalError
from listener.base.files import make_directories
from listener.base.logs import get_logger
from listener.event import Received
from listener.journal import redelivery, waiting
from listener.journal.checkpoint import Checkpointer
from listener.journal.database import connect, is_damage
from listener.journal.integrity import AFTER, IntegrityChecker
from listener.journal.lock import Lock
from listener.journal.model import Cursor, Pending, Redelivery
from listener.journal.opening import prepare
from listener.journal.query import events_after
from listener.journal.recent import Tail, never
from listener.journal.recovery import FRESH
from listener.journal.retention import Retention
from listener.journal.waiting import Waiting
from listener.journal.writer import SET_CURSOR, Writer

T = TypeVar("T")
WAIT = 5.0  # seconds for a rare job, such as a dead letter
log = get_logger(__name__)


class Journal:
    """Opens one database file for this process. Raises JournalError where the file can't be used."""

    def __init__(
        self, path: Path, *, keep_s: float = 7 * 86_400, max_size: int = 1 << 30, inspect_after: float = AFTER
    ) -> None:
        self.path = path = Path(os.path.realpath(path))  # by whatever name: one lock
        try:
            make_directories(path.parent, 0o700)
            self._lock = Lock(path)
        except OSError as e:
            raise _failure(path, e) from e
        self._readers = threading.local()
        self._connections: list[sqlite3.Connection] = []
        try:
            prepare(path)
            self.retention = Retention(int(keep_s * 1000), max_size)
            self._tail = Tail(self._newest())
            self.retention.on_erased = self._tail.erased
            self.leave()
            self.writer = Writer(path, self._tail, self.retention)
        except (OSError, sqlite3.Error) as e:
            self._release()
            raise _failure(path, e) from e
        except BaseException:
            self._release()
            raise
        self._checker = IntegrityChecker(path, self._broken, inspect_after)
        self._checkpointer = Checkpointer(path, self.writer.progress, self._checker.pause, self.retention.wal_cap)
        self.writer.on_damage = self._checker.inspect

    def start(self) -> None:
        """Starts the threads that write, checkpoint and check."""
        self.writer.start()
        self._checkpointer.start()
        self._checker.start()

    def append(self, pending: Pending) -> None:
        """Queues an event for the next commit; `writer.on_settled` gets it after that."""
        self.writer.put(pending)

    def keep(self, fetched: Sequence[Pending], timeout: float = 30.0) -> None:
        """Stores what this process fetched; returns once each has its code. Raises JournalError."""
        for pending in fetched:
            pending.kept = Future()
            self.writer.put(pending)
        try:
            for pending in fetched:
                if pending.kept is not None:
                    pending.kept.result(timeout)
        except TimeoutError:
            raise JournalError(f"journal {self.path}: no answer from the disk") from None

    def ask(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Returns what the query reads, by this thread's own connection. Raises JournalError."""
        try:
            return query(self._reader())
        except sqlite3.Error as e:
            if is_damage(e):
                self._checker.inspect()
            raise JournalError(f"journal {self.path}: {e}") from e

    def limit(self, keep_s: float, max_size: int) -> None:
        """Changes the limits, from the next commit on."""
        self.retention.keep_ms, self.retention.max_size = int(keep_s * 1000), max_size
        self.retention.look_soon()

    @property
    def last_seq(self) -> int:
        """Returns the seq of the newest event that is on disk; 0 if there never was one."""
        return self._tail.last_seq

    @property
    def erasures(self) -> int:
        """Returns how often events were erased: one that was read before may be gone."""
        return self._tail.erasures

    @property
    def changes(self) -> int:
        """Returns how often something beside the events has changed, by any process: a redelivery may be asked for."""
        return self._tail.changes

    def attach(self, sinks: Iterable[tuple[str, bool]]) -> dict[str, Cursor]:
        """Returns the cursor of each of these sinks (name, from the earliest event on), made where there is none.

        From now on these sinks alone hold events back.
        """
        wanted = dict(sinks)
        known = self._cursors()
        if wanted.keys() - known.keys() or FRESH in known:
            first = known[FRESH].seq if FRESH in known else self.last_seq
            self.do(lambda connection: _make_cursors(connection, wanted, first))
            known = self._cursors()
        self.retention.watch(wanted)
        for name in wanted:
            self._warn_of_gap(name, known[name])
        self.leave()
        return {name: known[name] for name in wanted}

    def advance(self, sink: str, cursor: Cursor) -> None:
        """Has the cursor written with the next commit, at the latest 0.2 s from now."""
        self.writer.advance(sink, cursor)

    def flush(self, timeout: float = WAIT) -> None:
        """Waits until every cursor given so far is on disk. Raises JournalError."""
        self.do(lambda connection: None, timeout)

    def dead_letter(self, sink: str, seq: int, reason: str, attempts: int, cursor: Cursor) -> None:
        """Makes the event a dead letter of the sink and advances its cursor, in one commit. Raises JournalError."""
        now = now_ms()

        def job(connection: sqlite3.Connection) -> None:
            connection.execute(waiting.DEAD_LETTER, (sink, seq, reason[:1000], attempts, now, seq))
            connection.execute(SET_CURSOR, (sink, cursor.seq, cursor.position, now))

        self.do(job)

    def waiting(self, sink: str) -> list[Waiting]:
        """Returns the events that wait for a retry by this sink. Raises JournalError."""
        return self.ask(lambda connection: waiting.load(connection, sink))

    def next_redelivery(self, sink: str) -> Redelivery | None:
        """Returns the replay or retry that the sink's worker carries out next. Raises JournalError."""
        return self.ask(lambda connection: redelivery.next_redelivery(connection, sink))

    def events_of(self, asked: Redelivery, after: int, limit: int) -> tuple[list[Received], int]:
        """Returns (a redelivery's next events after a seq, the seq up to which these are all). Raises JournalError."""
        return self.ask(lambda connection: redelivery.selected(connection, asked, after, limit))

    def begin(self, asked: Redelivery) -> None:
        """Commits the sink's cursor, and that lines of this redelivery come next in the sink. Raises JournalError."""
        self.do(lambda connection: redelivery.begin(connection, asked))

    def progress(self, asked: Redelivery, done_seq: int, cursor: Cursor, delivered: Sequence[int] = ()) -> None:
        """Commits that the redelivery is done up to `done_seq`, and which events it delivered. Raises JournalError."""
        self.do(lambda connection: redelivery.progress(connection, asked, done_seq, cursor, delivered))

    def read(self, after: int, limit: int) -> list[Received]:
        """Returns the next events after this seq, oldest first; [] where there is none. Raises JournalError."""
        from_memory = self._tail.read(after, limit)
        if from_memory is not None:
            return from_memory
        return self.ask(lambda connection: events_after(connection, after, limit))

    def on_change(self, told: Callable[[], None]) -> None:
        """Has `told` called, in the writer's thread, at each change that `changes` counts."""
        self._tail.on_change.append(told)

    def wait(self, after: int, timeout: float, over: Callable[[], bool] = never) -> bool:
        """Waits for an event after this seq, for `wake`, or until `over` is true; returns whether there is an event."""
        return self._tail.wait(after, timeout, over)

    def wake(self) -> None:
        """Lets every `wait` return."""
        self._tail.wake()

    def do(self, job: Callable[[sqlite3.Connection], T], timeout: float = WAIT) -> T:
        """Runs the job inside the next commit; returns its result once that is on disk. Raises JournalError."""
        try:
            return self.writer.submit(job).result(timeout)
        except Exception as e:
            raise JournalError(f"journal {self.path}: {str(e) or 'no answer from the disk'}") from e

    def leave(self) -> None:
        """Closes the reading connection of the calling thread, which must read no more."""
        if connection := getattr(self._readers, "connection", None):
            del self._readers.connection
            self._connections.remove(connection)
            connection.close()

    def close(self, timeout: float = 2.0) -> bool:
        """Writes what is queued; returns whether all of it is on disk. Nobody may read or write any more."""
        self._checker.stop(0.5)
        self._checkpointer.stop(0.5)
        written = self.writer.stop(timeout)
        if written:  # else the end of the process frees the lock
            self._release()
        return written

    def _broken(self, error: JournalError) -> None:
        self.writer.on_broken(error)

    def _reader(self) -> sqlite3.Connection:
        """Returns this thread's own connection, made where there is none yet."""
        if not hasattr(self._readers, "connection"):
            self._readers.connection = connect(self.path)
            self._readers.connection.execute("PRAGMA query_only=ON")
            self._connections.append(self._readers.connection)
        return self._readers.connection  # type: ignore[no-any-return]  # threading.local knows no types

    def _release(self) -> None:
        for connection in self._connections:
            connection.close()
        self._lock.release()

    def _cursors(self) -> dict[str, Cursor]:
        query = "SELECT sink, seq, position FROM cursors"
        return self.ask(
            lambda connection: {sink: Cursor(seq, position) for sink, seq, position in connection.execute(query)}
        )

    def _warn_of_gap(self, sink: str, cursor: Cursor) -> None:
        """Warns where events left the journal while the sink was not in the settings."""
        query = "SELECT min(seq) FROM events WHERE seq > ?"
        (first,) = self.ask(lambda connection: connection.execute(query, (cursor.seq,)).fetchone())
        if 0 < cursor.seq < (first or self.last_seq + 1) - 1:
            log.warning("events that this sink has not got left the journal while it was away", sink=sink)

    def _newest(self) -> int:
        query = "SELECT max(ifnull((SELECT seq FROM sqlite_sequence WHERE name='events'), 0), ifnull(max(seq), 0))"
        return int(self._reader().execute(query + " FROM events").fetchone()[0])


def _make_cursors(connection: sqlite3.Connection, wanted: dict[str, bool], first: int) -> None:
    rows = [(name, 0 if earliest else first, "", now_ms()) for name, earliest in wanted.items()]
    connection.executemany("INSERT OR IGNORE INTO cursors VALUES (?,?,?,?)", rows)
    connection.execute("DELETE FROM cursors WHERE sink=?", (FRESH,))


def _failure(path: Path, error: Exception) -> JournalError:
    return JournalError(f"journal {path}: {error}", hint="check journal.path, its owner and the disk")
