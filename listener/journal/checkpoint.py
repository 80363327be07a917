"""Moves the write-ahead log into the database beside the writer, so that no commit waits for it.

SQLite 3.7.0 to 3.51.2 can corrupt the file where a commit starts the WAL over while a second checkpoint begins, the
first having moved everything (https://sqlite.org/wal.html#walresetbug). So a checkpoint begins only when a transaction
that began after the last one has put frames in the WAL: it can't be started over then until they are moved, too.
"""

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from listener.base.logs import get_logger
from listener.journal.database import BUSY_SECONDS, connect

LOOK, AT_LEAST_EVERY = 0.5, 10.0  # seconds
WORTH_IT = 4 * 2**20  # bytes of WAL
CAP, SMALLEST_CAP = 64 * 2**20, 256 * 2**10  # bytes of WAL; see wal_cap
HELD = 10.0  # seconds for which a reader may keep a WAL over its cap from being moved, before a warning
log = get_logger(__name__)


@dataclass
class WalProgress:
    """Numbers the writer's transactions: the last that `begun`, that surely `wrote`, and that was `moved`."""

    begun: int = 0
    wrote: int = 0
    moved: int = 0
    held_since: float | None = None  # monotonic; since when somebody's read transaction keeps the WAL from being reused
    guard: threading.Lock = field(default_factory=threading.Lock)
    grown: threading.Event = field(default_factory=threading.Event)  # since the last time that all was moved

    def note(self) -> None:
        """Notes that the transaction which began last has surely put frames in the WAL."""
        self.wrote = self.begun
        if not self.grown.is_set():
            self.grown.set()

    def wait(self, stop: threading.Event, seconds: float) -> None:
        """Waits for the next write, for `stop` (set before `grown`), or `seconds` where something is to be moved."""
        self.grown.clear()
        if not stop.is_set():
            self.grown.wait(None if self.wrote <= self.moved else seconds)

    def checkpoint(self, connection: sqlite3.Connection) -> bool:
        """Checkpoints if it may, from either thread, under a lock; returns whether it did."""
        with self.guard:
            due = self.wrote > self.moved
            if due:
                whole = checkpoint(connection)
                self.moved = self.begun if whole else self.moved  # what a reader holds back is tried again
                self.held_since = None if whole else self.held_since or time.monotonic()
        return due

    def truncate(self, connection: sqlite3.Connection) -> bool:
        """Moves the whole log and cuts it to nothing, without waiting for readers; returns whether it did."""
        with self.guard:
            if self.wrote <= self.moved:
                return False
            self.moved = self.begun
            connection.execute("PRAGMA busy_timeout=0")
            whole = checkpoint(connection, "TRUNCATE")
            connection.execute(f"PRAGMA busy_timeout={round(BUSY_SECONDS * 1000)}")
        return whole

    def held_seconds(self) -> float:
        """Returns for how long a reader has kept the WAL from being moved whole; 0.0 where none does."""
        since = self.held_since
        return 0.0 if since is None else time.monotonic() - since


class Checkpointer:
    """Checkpoints in a thread, in PASSIVE mode, which never blocks the writer."""

    def __init__(self, path: Path, progress: WalProgress, on_large: Callable[[], None], cap: Callable[[], int]) -> None:
        self._path, self._progress, self._on_large, self._cap = path, progress, on_large, cap
        self._told = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal-checkpoint", daemon=True)

    def start(self) -> None:
        self._connection = connect(self._path)  # here, not in the thread: the file may be gone by then
        self._thread.start()

    def stop(self, timeout: float) -> None:
        self._stop.set()
        self._progress.grown.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        with closing(self._connection) as connection:
            at = time.monotonic()
            while not self._stop.wait(LOOK):
                self._progress.wait(self._stop, max(0.0, at + AT_LEAST_EVERY - time.monotonic()))
                size = wal_size(self._path)
                if size > self._cap():
                    self._on_large()
                self._tell(size)
                due = size >= min(WORTH_IT, self._cap() // 2) or time.monotonic() - at >= AT_LEAST_EVERY
                if due and self._progress.checkpoint(connection):
                    at = time.monotonic()

    def _tell(self, size: int) -> None:
        """Warns once for each time that a reader holds the WAL for long."""
        held = self._progress.held_seconds()
        if held >= HELD and size > self._cap() and not self._told:
            log.warning(
                "another process has been reading the journal in one transaction: its write-ahead log grows meanwhile",
                wal_bytes=size,
                since_seconds=round(held),
                hint="end that backup or viewer (lsof shows who has the file open)",
            )
        self._told = held >= HELD


def checkpoint(connection: sqlite3.Connection, mode: Literal["PASSIVE", "TRUNCATE"] = "PASSIVE") -> bool:
    """Moves what it can without waiting for anybody; returns whether that was all of the WAL."""
    try:
        busy, frames, moved = connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
    except sqlite3.Error as e:
        log.warning("the journal's checkpoint failed", because=str(e))
        return True
    return not busy and frames - moved <= 0


def wal_cap(max_size: int) -> int:
    """Returns the bytes of WAL at which the writer checkpoints, too: one without pauses would outgrow any thread."""
    return max(SMALLEST_CAP, min(CAP, max_size // 4))


def wal_size(path: Path) -> int:
    """Returns the bytes of the journal's WAL, 0 where there is none."""
    try:
        return Path(f"{path}-wal").stat().st_size
    except OSError:
        return 0
