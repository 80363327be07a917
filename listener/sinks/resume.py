"""Finds where a file sink goes on after a crash: how many of the next lines are in the file already."""

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from listener.base.files import for_the_group
from listener.base.logs import get_logger

PRINT = 256  # bytes before the offset that tell a file from another one with its inode
log = get_logger(__name__)


class Position(msgspec.Struct, frozen=True):
    """A file sink's position, kept with its cursor: the file, whatever its name is by now, and the offset in it.

    `crc` is zlib's of the last PRINT bytes before `offset`, since inode numbers are used again.
    """

    inode: int
    offset: int
    crc: int

    def encode(self) -> str:
        return msgspec.json.encode(self).decode()

    @classmethod
    def decode(cls, text: str) -> "Position | None":
        """Returns the position; None where the sink has none yet, or had another type that wrote it."""
        try:
            return msgspec.json.decode(text, type=cls)
        except msgspec.MsgspecError:
            return None

    def is_of(self, path: Path) -> bool:
        """Returns whether the position is in this file, as far as the file goes."""
        if not path.is_file():
            return False
        try:
            with path.open("rb") as file:
                state = os.fstat(file.fileno())
                short = state.st_size < self.offset
                return state.st_ino == self.inode and (short or fingerprint(file.fileno(), self.offset) == self.crc)
        except OSError:
            return False


def fingerprint(fd: int, offset: int) -> int:
    """Returns the `crc` of a `Position`."""
    start = max(0, offset - PRINT)
    return zlib.crc32(os.pread(fd, offset - start, start))


def find(path: Path, position: Position) -> Path | None:
    """Returns the position's file: `path`, or what it was renamed to in the same directory; None if there is none."""
    if position.is_of(path):
        return path
    try:
        with os.scandir(path.parent) as entries:
            same = [Path(entry.path) for entry in entries if entry.inode() == position.inode]
    except FileNotFoundError:
        return None
    return next((sibling for sibling in same if sibling.is_file() and position.is_of(sibling)), None)


def resume(path: Path, offset: int, upcoming: Iterator[bytes], torn: Path, *, sure: bool = True) -> int:
    """Compares what is past `offset` with the lines that would be written there; returns how many are there.

    Equal lines count as delivered, a torn line is completed. Whole records that are not expected stay where they are,
    also between expected ones: the journal was restored from a backup, say, or an event was erased since. Other bytes
    move to `torn`, if it is `sure` that the file is the sink's. The file is synced in any case: what wrote it may have
    ended before its own sync.
    """
    size = path.stat().st_size
    if size < offset:
        log.warning("the file is shorter than it was left: somebody truncated it", path=str(path))
    with path.open("r+b") as file:
        file.seek(min(offset, size))
        found, passed = _compare(file, size, upcoming)
        if passed:
            log.warning("records that the journal does not know stay in the file", records=passed, path=str(path))
        if file.tell() < size and (sure or found or passed):
            _move_rest(file, torn)
        file.flush()
        os.fsync(file.fileno())
    return found


def _compare(file: BinaryIO, size: int, upcoming: Iterator[bytes]) -> tuple[int, int]:
    """Goes on to the first bytes that are no record; returns how many lines are there, and how many unknown ones."""
    found = passed = 0
    line: bytes | None = None
    while file.tell() < size:
        line = line or next(upcoming, None)
        if line is not None and _is_there(file, line + b"\n"):
            found, line = found + 1, None
        elif _pass_record(file):
            passed += 1
        else:
            break
    return found, passed


def _is_there(file: BinaryIO, line: bytes) -> bool:
    """Returns whether the line stands here, completed if it is torn; if not, the file's place stays where it was."""
    start = file.tell()
    here = file.read(len(line))
    if here == line:
        return True
    file.seek(start)
    if not line.startswith(here):
        return False
    file.write(line)
    return True


def _pass_record(file: BinaryIO) -> bool:
    """Goes past a whole line of JSON; returns whether there was one."""
    start = file.tell()
    line = file.readline()
    if line.endswith(b"\n") and _is_record(line):
        return True
    file.seek(start)
    return False


def _is_record(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)  # of any type: a transform's result may be a text or a list
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def _move_rest(file: BinaryIO, torn: Path) -> None:
    start = file.tell()
    rest = file.read()
    with open(torn, "ab", opener=for_the_group) as aside:
        aside.write(rest)
        aside.flush()
        os.fsync(aside.fileno())
    file.truncate(start)
    log.warning("bytes that are not ours were moved aside", bytes=len(rest), to=str(torn))
