"""Moves the write-ahead log into the database beside the writer, so that no commit waits for it."""

import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

from listener.journal.database import connect
from listener.logs import get_logger

LOOK, AT_LEAST_EVERY = 0.5, 10.0  # seconds
WORTH_IT = 4 * 2**20  # bytes of WAL
CAP = 64 * 2**20  # bytes of WAL at which the writer lends a hand: one that never pauses would let it grow for ever
log = get_logger(__name__)


class Checkpointer:
    """A thread that checkpoints in PASSIVE mode, which never blocks the writer."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal-checkpoint", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float) -> None:
        self._stop.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        with closing(connect(self._path)) as connection:
            seen, done = (0, 0), time.monotonic()
            while not self._stop.wait(LOOK):
                now = wal_state(self._path)
                if now != seen and (now[0] >= WORTH_IT or time.monotonic() - done >= AT_LEAST_EVERY):
                    checkpoint(connection)
                    seen, done = now, time.monotonic()


def checkpoint(connection: sqlite3.Connection) -> None:
    """Moves what it can without waiting for anybody."""
    try:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    except sqlite3.Error as e:
        log.warning("the journal's checkpoint failed", because=str(e))


def wal_state(path: Path) -> tuple[int, int]:
    """(bytes, time of the last write) of the journal's WAL; zeros where there is none."""
    try:
        stat = Path(f"{path}-wal").stat()
    except OSError:
        return 0, 0
    return stat.st_size, stat.st_mtime_ns
