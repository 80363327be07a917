"""Checks the whole file in the background: once after the start, and whenever SQLite meets damage."""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from listener.base.errors import JournalError
from listener.base.logs import get_logger
from listener.base.threads import give_way
from listener.journal import recovery
from listener.journal.database import connect, is_damage

AFTER = 5.0  # seconds from the start to the first check: connecting comes first
AGAIN = 600.0  # seconds after one that was interrupted
log = get_logger(__name__)


class IntegrityChecker:
    """Checks the journal for damage in a thread of the lowest priority.

    `on_damage` is called once, and the next start recovers the journal.
    """

    def __init__(self, path: Path, on_damage: Callable[[JournalError], None], after: float = AFTER) -> None:
        self._path, self._on_damage = path, on_damage
        self._next: float | None = after
        self._wanted, self._stop = threading.Event(), threading.Event()
        self._connection: sqlite3.Connection | None = None
        self._thread = threading.Thread(target=self._run, name="journal-inspector", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def inspect(self) -> None:
        """Has the thread check now; may be called from any thread."""
        self._wanted.set()

    def pause(self) -> None:
        """Ends a check that is under way, since its snapshot keeps the WAL from being reused."""
        if connection := self._connection:
            with suppress(sqlite3.Error):  # it may be closed by now
                connection.interrupt()

    def stop(self, timeout: float) -> None:
        self._stop.set()
        self._wanted.set()
        self.pause()
        self._thread.join(timeout)

    def _run(self) -> None:
        give_way(19)
        while not self._stop.is_set():
            self._wanted.wait(self._next)
            self._wanted.clear()
            if not self._stop.is_set():
                self._next = self._look()

    def _look(self) -> float | None:
        """Checks once; returns the seconds to the next check, None for no other one unless asked."""
        try:
            problem = self._check()
        except sqlite3.Error as e:
            if not is_damage(e):
                log.debug("the journal's check was put off", because=str(e))
                return AGAIN
            problem = str(e)
        if problem:
            self._tell(problem)
            self._stop.set()
        return None

    def _check(self) -> str:
        with closing(connect(self._path)) as connection:
            self._connection = connection
            try:
                found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
            finally:
                self._connection = None
        return "" if found == "ok" else found

    def _tell(self, problem: str) -> None:
        with suppress(OSError):  # a full disk: the next start finds out again
            recovery.mark(self._path, problem)
        self._on_damage(
            JournalError(
                f"journal {self._path} is damaged: {problem}",
                hint="start again: the file is moved aside then, and what can be read of it is salvaged",
            )
        )
