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

from listener.base.logs import get_logger
from listener.journal.database import connect

LOOK, AT_LEAST_EVERY = 0.5, 10.0  # seconds
WORTH_IT = 4 * 2**20  # bytes of WAL
CAP = 64 * 2**20  # bytes of WAL at which the writer lends a hand: one that never pauses would let it grow for ever
log = get_logger(__name__)


@dataclass
class Progress:
    """By the numbers of the writer's transactions: the last that began, that wrote for sure, and that was moved."""

    begun: int = 0
    wrote: int = 0
    moved: int = 0
    guard: threading.Lock = field(default_factory=threading.Lock)

    def checkpoint(self, connection: sqlite3.Connection) -> bool:
        """Says whether there was one. From either thread: on what one has moved the other must not count."""
        with self.guard:
            due = self.wrote > self.moved
            if due:
                checkpoint(connection)
                self.moved = self.begun
        return due


class Checkpointer:
    """A thread that checkpoints in PASSIVE mode, which never blocks the writer."""

    def __init__(self, path: Path, progress: Progress, on_large: Callable[[], None]) -> None:
        self._path, self._progress, self._on_large = path, progress, on_large
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal-checkpoint", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float) -> None:
        self._stop.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        with closing(connect(self._path)) as connection:
            at = time.monotonic()
            while not self._stop.wait(LOOK):
                size = wal_size(self._path)
                if size > CAP:
                    self._on_large()
                due = size >= WORTH_IT or time.monotonic() - at >= AT_LEAST_EVERY
                if due and self._progress.checkpoint(connection):
                    at = time.monotonic()


def checkpoint(connection: sqlite3.Connection) -> None:
    """Moves what it can without waiting for anybody."""
    try:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    except sqlite3.Error as e:
        log.warning("the journal's checkpoint failed", because=str(e))


def wal_size(path: Path) -> int:
    """Bytes of the journal's WAL; 0 where there is none."""
    try:
        return Path(f"{path}-wal").stat().st_size
    except OSError:
        return 0
