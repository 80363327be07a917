"""The journal's face: open it, put events in, read them back, keep the sinks' cursors."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from listener.errors import JournalError
from listener.event import Received
from listener.journal.checkpoint import Checkpointer
from listener.journal.database import Lock, connect, create, probe
from listener.journal.model import Cursor, Pending
from listener.journal.retention import Retention
from listener.journal.tail import Tail
from listener.journal.writer import SET_CURSOR, Writer

T = TypeVar("T")
COLUMNS = "seq, event_id, event_type, received_ms, payload"
WAIT = 5.0  # seconds for a rare job, such as a dead letter


class Journal:
    """One per database file and process. Raises JournalError where the file can't be used."""

    def __init__(self, path: Path, *, keep_s: float = 7 * 86_400, max_size: int = 1 << 30) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = Lock(path)
            if not path.exists():
                create(path)
            probe(path)
            self._readers = threading.local()
            self.retention = Retention(int(keep_s * 1000), max_size)
            self._tail = Tail(self._last_seq())
            self.writer = Writer(path, self._tail, self.retention)
            self._checkpointer = Checkpointer(path)
        except (OSError, sqlite3.Error) as e:
            raise JournalError(f"journal {path}: {e}", hint="check journal.path, its owner and the disk") from e

    def start(self) -> None:
        """Begins to write."""
        self.writer.start()
        self._checkpointer.start()

    def append(self, pending: Pending) -> None:
        """Keeps it with the next commit; `writer.on_settled` gets it then."""
        self.writer.put(pending)

    @property
    def last_seq(self) -> int:
        """Of the newest event that is on disk; 0: none ever was."""
        return self._tail.last_seq

    def attach(self, sinks: Iterable[tuple[str, bool]]) -> dict[str, Cursor]:
        """Cursors of (name, from the earliest event on), made where there is none; these alone hold events back."""
        wanted = list(sinks)

        def job(connection: sqlite3.Connection) -> dict[str, Cursor]:
            for name, earliest in wanted:
                connection.execute(
                    "INSERT OR IGNORE INTO cursors VALUES (?,?,'',?)",
                    (name, 0 if earliest else self.last_seq, time.time_ns() // 1_000_000),
                )
            rows = connection.execute("SELECT sink, seq, position FROM cursors")
            return {sink: Cursor(seq, position) for sink, seq, position in rows}

        known = self._do(job)
        self.retention.watch(name for name, _ in wanted)
        return {name: known[name] for name, _ in wanted}

    def advance(self, sink: str, cursor: Cursor) -> None:
        """Rides in the next commit, at the latest 0.2 s from now."""
        self.writer.advance(sink, cursor)

    def flush(self, timeout: float = WAIT) -> None:
        """Returns when every cursor given so far is on disk. Raises JournalError."""
        self._do(lambda connection: None, timeout)

    def dead_letter(self, sink: str, seq: int, reason: str, attempts: int, cursor: Cursor) -> None:
        """The sink won't get this event, and goes on after it: both in one commit. Raises JournalError."""
        now = time.time_ns() // 1_000_000

        def job(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO dead_letters (sink, seq, reason, attempts, at_ms) VALUES (?,?,?,?,?)"
                " ON CONFLICT (sink, seq) DO UPDATE SET reason=excluded.reason, at_ms=excluded.at_ms,"
                " attempts=attempts+excluded.attempts",
                (sink, seq, reason[:1000], attempts, now),
            )
            connection.execute(SET_CURSOR, (sink, cursor.seq, cursor.position, now))

        self._do(job)

    def read(self, after: int, limit: int) -> list[Received]:
        """The next events after this seq, oldest first; [] where there is none. Raises JournalError."""
        from_memory = self._tail.read(after, limit)
        if from_memory is not None:
            return from_memory
        query = f"SELECT {COLUMNS} FROM events WHERE seq > ? AND payload IS NOT NULL ORDER BY seq LIMIT ?"  # noqa: S608
        try:
            return [Received(*row) for row in self._reader().execute(query, (after, limit)).fetchall()]
        except sqlite3.Error as e:
            raise JournalError(f"journal {self.path}: {e}") from e

    def wait(self, after: int, timeout: float) -> bool:
        """Until there is an event after this seq, or `wake`; says whether there is one."""
        return self._tail.wait(after, timeout)

    def wake(self) -> None:
        """Lets every `wait` return."""
        self._tail.wake()

    def close(self, timeout: float = 2.0) -> bool:
        """Writes what is queued; says whether all of it is on disk."""
        written = self.writer.stop(timeout)
        self._checkpointer.stop(0.5)
        self._lock.release()
        return written

    def _do(self, job: Callable[[sqlite3.Connection], T], timeout: float = WAIT) -> T:
        try:
            return self.writer.submit(job).result(timeout)
        except (sqlite3.Error, TimeoutError) as e:
            raise JournalError(f"journal {self.path}: {e or 'no answer from the disk'}") from e

    def _reader(self) -> sqlite3.Connection:
        """This thread's own connection."""
        if not hasattr(self._readers, "connection"):
            self._readers.connection = connect(self.path)
            self._readers.connection.execute("PRAGMA query_only=ON")
        return self._readers.connection  # type: ignore[no-any-return]  # threading.local knows no types

    def _last_seq(self) -> int:
        row = self._reader().execute("SELECT seq FROM sqlite_sequence WHERE name='events'").fetchone()
        return int(row[0]) if row else 0
