"""Names of files, and the disk behind them."""

import os
from datetime import UTC, datetime
from pathlib import Path


def sync_directory(directory: Path) -> None:
    """A new name survives a power loss only once its directory is synced (fsync(2))."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def stamp() -> str:
    """Now, in UTC, for the name of what is moved away: "20261122T093000.123456Z" is used by nothing else."""
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")


def for_the_group(path: str, flags: int) -> int:
    """An opener of open(): what it makes, owner and group may read."""
    return os.open(path, flags, 0o640)
