"""Where a file sink goes on after a crash: how many of the next lines are in the file already."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from listener.logs import get_logger

log = get_logger(__name__)


class Position(msgspec.Struct, frozen=True):
    """A file sink's place, kept with its cursor: the file, however it is called by now, and the bytes in it."""

    inode: int
    offset: int

    def encode(self) -> str:
        return msgspec.json.encode(self).decode()

    @classmethod
    def decode(cls, text: str) -> "Position | None":
        """None for a sink that has no place yet."""
        return msgspec.json.decode(text, type=cls) if text else None


def find(path: Path, inode: int) -> Path | None:
    """The file with this inode: `path`, or what it was renamed to, which is a sibling of a similar name."""
    for candidate in (path, *sorted(path.parent.glob(f"{path.name}*"))):
        try:
            if candidate.stat().st_ino == inode:
                return candidate
        except OSError:
            continue
    return None


def resume(path: Path, offset: int, upcoming: Iterator[bytes], torn: Path) -> int:
    """Compares what is past `offset` with the lines that would be written there; returns how many are there.

    Equal lines count as delivered, a torn line is completed, foreign bytes move to `torn`.
    """
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        if size < offset:
            log.warning("the file is shorter than it was left: somebody truncated it", path=str(path))
            return 0
        file.seek(offset)
        found = 0
        while file.tell() < size:
            line = next(upcoming, None)
            if line is None or not _is_there(file, line + b"\n"):
                _move_rest(file, torn)
                break
            found += 1
        file.flush()
        os.fsync(file.fileno())
    return found


def _is_there(file: BinaryIO, line: bytes) -> bool:
    """Whether the line stands here, completed if it is torn; if not, the file is left where it was."""
    start = file.tell()
    here = file.read(len(line))
    if here == line:
        return True
    file.seek(start)
    if not line.startswith(here):
        return False
    file.write(line)
    return True


def _move_rest(file: BinaryIO, torn: Path) -> None:
    start = file.tell()
    rest = file.read()
    with open(torn, "ab", opener=lambda path, flags: os.open(path, flags, 0o640)) as aside:
        aside.write(rest)
        os.fsync(aside.fileno())
    file.truncate(start)
    log.warning("bytes that are not ours were moved aside", bytes=len(rest), to=str(torn))
