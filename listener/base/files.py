"""Makes directories and names for files, opens files for the group, and syncs directories to disk."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

_STAMP = "%Y%m%dT%H%M%S.%fZ"


def sync_directory(directory: Path) -> None:
    """Syncs a directory; without that a new name in it may not survive a power loss (fsync(2))."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def stamp() -> str:
    """Returns the time in UTC for the name of a file that is moved away: "20261122T093000.123456Z"."""
    return datetime.now(UTC).strftime(_STAMP)


def stamp_after(text: str) -> str:
    """Returns the stamp of one microsecond after this one."""
    return (datetime.strptime(text, _STAMP).replace(tzinfo=UTC) + timedelta(microseconds=1)).strftime(_STAMP)


def for_the_group(path: str, flags: int) -> int:
    """Opens a file, as the `opener` of open(), that its owner and group may read, whatever the umask."""
    fd = os.open(path, flags | os.O_CLOEXEC, 0o640)
    os.fchmod(fd, 0o640)
    return fd


def make_directories(path: Path, mode: int) -> None:
    """Makes the directory and the missing ones above it, each with that mode, whatever the umask."""
    if path.is_dir():
        return
    make_directories(path.parent, mode)
    path.mkdir(exist_ok=True, mode=mode)
    path.chmod(mode)
