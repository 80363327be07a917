"""Locks a journal, so that one daemon uses it at a time."""

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from listener.base.errors import JournalError

PATIENCE = 0.5  # seconds: a command that asks who has the lock holds it for a moment
LOOK = 0.05


class InUse(JournalError):
    """Another process has this journal."""


class Lock:
    """The lock of a journal, held until `release`.

    Its file stays; the kernel frees the lock when the process ends, however it ends.
    """

    def __init__(self, journal: Path) -> None:
        self._fd = os.open(f"{journal}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            self._take(journal)
        except BaseException:
            os.close(self._fd)
            raise
        with suppress(OSError):  # only a hint for people: no room for it is no reason to stay down
            os.pwrite(self._fd, b"%-20d\n" % os.getpid(), 0)

    def release(self) -> None:
        os.close(self._fd)

    def _take(self, journal: Path) -> None:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                return fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= until:
                    break
            time.sleep(LOOK)
        holder = os.pread(self._fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
        raise InUse(
            f"{journal}: another helpdesk-listen (pid {holder}) uses this journal",
            hint="stop it first, or give this one a journal.path of its own",
        )


class FileIdentity:
    """A path, and the file that was there at the start: a deleted file goes on taking writes, which are lost."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = self._now()

    def holds(self) -> bool:
        """Returns whether that file is still at its path."""
        return self._file == self._now()

    def _now(self) -> tuple[int, int] | None:
        try:
            state = os.stat(self.path)
        except OSError:
            return None
        return state.st_dev, state.st_ino
