"""Appends records to a file, a line each: none torn, none twice, none missing, across kill -9 and power loss.

The cursor in the journal may lag behind the file, so at the start the bytes past its offset are compared with what the
journal would write there (resume.py). A file that was renamed or deleted meanwhile is left, and a new one begun: so
logrotate needs no `postrotate`, but with `compress` it needs `delaycompress`; `copytruncate` loses lines by nature.
"""

import fcntl
import os
import stat
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

from listener.base.files import make_directories, sync_directory
from listener.base.logs import get_logger
from listener.settings.paths import BaseDirectory
from listener.sinks.base import (
    NEVER_GIVE_UP,
    Closed,
    Line,
    LinesWritten,
    NotWritten,
    Outcome,
    Retry,
    SinkConfig,
    Stopping,
)
from listener.sinks.resume import PRINT, Position, find, fingerprint, resume
from listener.sinks.rotation import Rotate, Rotation

log = get_logger(__name__)


class FileConfig(SinkConfig, frozen=True, kw_only=True):
    """The settings. `fsync` "batch" survives a power loss, "never" kill -9 only.

    A line can be read at once. Lines are synced together, within a second; the position that is kept follows the sync.
    """

    type: Literal["file"] = "file"
    path: Annotated[Path, BaseDirectory.LOGS]
    fsync: Literal["batch", "never"] = "batch"
    rotate: Rotate | None = None
    retry: Retry = NEVER_GIVE_UP


class FileSink:
    idle_every = 60.0  # seconds; each delivery does the same

    def __init__(self, config: FileConfig, stopping: Stopping) -> None:
        self._config = config
        self._follow()
        self._sync = os.fdatasync if config.fsync == "batch" else _no_sync
        self._fd = -1
        self._inode = 0
        self._offset = self._synced = 0  # bytes; what was written, and what of it a power loss leaves
        self._crc = 0  # see Position
        self._written_at = 0.0  # Unix seconds
        self._reopen = False
        self._torn = False  # half a line may be past the offset

    def open(self, position: str, upcoming: Iterator[bytes]) -> LinesWritten:
        """Completes the file that the cursor knows to a whole line, then opens `path` for more."""
        found = 0
        known = Position.decode(position)
        if known is not None:
            last = find(self._path, known)
            if last is None:
                log.warning("the file that was written last is gone", path=str(self._path))
            else:
                sure = known.offset > 0 or last == self._path
                with _locked(self._path):
                    found = resume(last, known.offset, upcoming, torn=Path(f"{self._path}.torn"), sure=sure)
        self._open()
        return LinesWritten(found, self._position(), keep_now=True)

    def deliver(self, lines: Sequence[Line]) -> Outcome:
        if self._changed() or (self._rotation and self._rotation.due(self._offset, self._written_at)):
            return self._begin_anew()
        self.idle()
        data = b"\n".join([*(line.data for line in lines), b""])
        try:
            _write(self._fd, data)
        except OSError as e:
            self._take_back()
            return NotWritten(f"{self._path}: {e.strerror}")
        self._offset += len(data)
        self._crc = zlib.crc32(data[-PRINT:]) if len(data) >= PRINT else fingerprint(self._fd, self._offset)
        self._written_at = time.time()
        if self._synced == 0:  # what a power loss left in a file without a synced line could be anybody's
            return NotWritten(why) if (why := self.sync()) else LinesWritten(len(lines), self._position())
        return LinesWritten(len(lines), self._position(), sync=self.sync)

    def sync(self) -> str:
        """Syncs what was written last or, where that fails, takes it back; returns "", or why it failed.

        A sync that failed can't be repeated: the kernel may have dropped the bytes (https://lwn.net/Articles/752063/).
        """
        try:
            self._sync(self._fd)
        except OSError as e:
            self._offset = self._synced
            self._take_back()
            return f"{self._path}: {e.strerror}"
        self._synced = self._offset
        return ""

    def idle(self) -> Closed | None:
        if self._rotation:
            self._rotation.tidy()
        return None

    def reopen(self) -> None:
        self._reopen = True

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _follow(self) -> None:
        """Follows a link, which stays: what it leads to now is written and rotated."""
        self._path = Path(os.path.realpath(self._config.path))
        self._rotation = Rotation(self._path, self._config.rotate) if self._config.rotate else None

    def _begin_anew(self) -> LinesWritten:
        """Opens a new file at `path`, or the old one as it is now; its position must be kept before its first line.

        What was written to the old file is synced first, and its last position kept.
        """
        if self._synced < self._offset:
            return LinesWritten(0, self._position(), keep_now=True, sync=self.sync)
        if self._reopen and self._path != Path(os.path.realpath(self._config.path)):
            self._follow()
        if not self._changed() and self._rotation:
            self._rotation.move_away()
        self._open()
        return LinesWritten(0, self._position(), keep_now=True)

    def _changed(self) -> bool:
        """Returns whether `path` is not as it was left: renamed, deleted, written to by others, or SIGHUP says so."""
        if self._fd < 0 or self._reopen:
            return True
        try:
            state = os.stat(self._path)
        except OSError:
            return True
        return (state.st_ino, state.st_size) != (self._inode, self._offset)

    def _open(self) -> None:
        self.close()
        make_directories(self._path.parent, 0o750)
        is_new = not self._path.exists()
        flags = os.O_CREAT | os.O_APPEND | os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK
        fd = os.open(self._path, flags, 0o640)
        try:
            state = os.fstat(fd)
            self._adopt(fd, state, is_new)
        except BaseException:
            os.close(fd)
            raise
        self._fd, self._inode, self._written_at = fd, state.st_ino, state.st_mtime
        self._reopen = self._torn = False

    def _adopt(self, fd: int, state: os.stat_result, is_new: bool) -> None:
        """Makes the file end with a whole line, and notes where that is."""
        if not stat.S_ISREG(state.st_mode):
            raise OSError(f"{self._path} is not a regular file")
        _lock(fd, self._path)
        if self._torn and state.st_ino == self._inode:
            os.ftruncate(fd, self._offset)
        if is_new:
            os.fchmod(fd, 0o640)  # whatever the umask
        sync_directory(self._path.parent)  # a file that is not new may be of a start that ended before its own sync
        end = os.lseek(fd, 0, os.SEEK_END)
        if end and os.pread(fd, 1, end - 1) != b"\n":
            _write(fd, b"\n")  # somebody else's last line stays theirs
            end += 1
        self._sync(fd)  # whoever wrote it may have ended before its own sync
        self._offset = self._synced = end
        self._crc = fingerprint(fd, end)

    def _take_back(self) -> None:
        """Cuts off what is past the offset, half a line for instance; if not now, then before the next one."""
        try:
            if os.fstat(self._fd).st_size > self._offset:
                os.ftruncate(self._fd, self._offset)
            self._crc = fingerprint(self._fd, self._offset)
        except OSError:
            self._torn = self._reopen = True

    def _position(self) -> str:
        return Position(self._inode, self._offset, self._crc).encode()


def _lock(fd: int, path: Path) -> None:
    """Locks the file for this process, since lines of two would tear each other. The lock goes with the descriptor."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        who = f"process {pid}" if (pid := _lock_holder(fd)) else "another process"
        raise OSError(f"{path}: {who} writes this file; stop it, or give each daemon a file of its own") from None
    except OSError:  # a file system without locks
        return


def _lock_holder(fd: int) -> int:
    """Returns the process that /proc/locks names for this file; 0 where it names none."""
    inode = os.fstat(fd).st_ino
    try:
        rows = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    except OSError:
        return 0
    held = (int(row[4]) for row in rows if row[1] == "FLOCK" and row[5].endswith(f":{inode}"))
    return next(held, 0)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Locks the file while it is compared, completed or moved, so that no other process writes it."""
    if not path.exists():
        yield
        return
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        _lock(fd, path)
        yield
    finally:
        os.close(fd)


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _no_sync(_fd: int) -> None:
    """Does nothing: the page cache survives the process, though not the power."""
