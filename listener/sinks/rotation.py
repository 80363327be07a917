"""Rotates a file sink's file: tickets.jsonl becomes tickets.jsonl.20261122T093000.123456Z, perhaps .gz."""

import gzip
import os
import re
import shutil
import threading
import time
from pathlib import Path
from typing import Annotated

import msgspec

from listener.base.files import for_the_group, stamp, stamp_after, sync_directory
from listener.base.logs import get_logger
from listener.settings.rules import Count, Duration, Size

_STAMP = r"[0-9]{8}T[0-9]{6}\.[0-9]{6}Z"
log = get_logger(__name__)


class Rotate(msgspec.Struct, frozen=True, kw_only=True):
    """When a new file is begun: at `size` bytes, `every` so many seconds, or whichever comes first."""

    size: Annotated[int | None, Size("1KiB", "16TiB")] = None
    every: Annotated[float | None, Duration("1m", "3650d")] = None
    keep: Annotated[int | None, Count(1, 100_000)] = None  # files; None: all
    compress: bool = False  # gzip

    def __post_init__(self) -> None:
        if self.size is None and self.every is None:
            raise ValueError("says when to rotate: set size, every or both")


class Rotation:
    """Moves a sink's file away when it is due, and compresses or removes older ones in a thread."""

    def __init__(self, path: Path, rotate: Rotate) -> None:
        self._path, self._rotate = path, rotate
        self._name = re.compile(rf"{re.escape(path.name)}\.{_STAMP}(\.gz)?")
        self._untidy = self._tidies
        self._tidying: threading.Thread | None = None

    def due(self, offset: int, written_at: float) -> bool:
        """Returns whether the file of `offset` bytes, last written at `written_at`, is to be moved before a next line.

        Periods are counted from the epoch: `every = "1d"` changes at midnight UTC, whenever the process was started.
        """
        if offset == 0:
            return False
        size, every = self._rotate.size, self._rotate.every
        if size is not None and offset >= size:
            return True
        return every is not None and time.time() // every != written_at // every

    def move_away(self) -> None:
        """Renames the file; it keeps its inode, by which a cursor finds it again.

        Names only grow, whatever the clock does: their order is what `keep` goes by.
        """
        os.rename(self._path, f"{self._path}.{self._next_stamp()}")
        self._untidy = self._tidies

    @property
    def _tidies(self) -> bool:
        """Returns whether rotated files are compressed or removed at all."""
        return self._rotate.keep is not None or self._rotate.compress

    def _next_stamp(self) -> str:
        start = len(self._path.name) + 1
        newest = max((path.name[start : start + len(stamp())] for path in self._rotated()), default="")
        return max(stamp(), stamp_after(newest)) if newest else stamp()

    def _rotated(self) -> list[Path]:
        return sorted(p for p in self._path.parent.iterdir() if self._name.fullmatch(p.name))

    def tidy(self) -> None:
        """Compresses and removes, in the background, what was moved away.

        Called once the position in the new file is kept.
        """
        if self._untidy and not (self._tidying and self._tidying.is_alive()):
            self._untidy = False
            self._tidying = threading.Thread(target=self._tidy, name="rotation", daemon=True)
            self._tidying.start()

    def _tidy(self) -> None:
        try:
            rotated = self._rotated()
            surplus = rotated[: -self._rotate.keep] if self._rotate.keep else []
            for path in surplus:
                path.unlink(missing_ok=True)
            for path in rotated[len(surplus) :]:
                if self._rotate.compress and path.suffix != ".gz":
                    _compress(path)
        except OSError as e:
            log.warning("rotated files could not be tidied up", path=str(self._path), because=str(e))


def _compress(path: Path) -> None:
    """Compresses a file, which is removed once the compressed one is on disk, name and all."""
    part = Path(f"{path}.gz.tmp")
    try:
        with path.open("rb") as source, open(part, "wb", opener=for_the_group) as raw:
            with gzip.GzipFile(path.name, "wb", fileobj=raw) as packed:
                shutil.copyfileobj(source, packed)
            raw.flush()
            os.fsync(raw.fileno())
        os.rename(part, f"{path}.gz")
        sync_directory(path.parent)
        path.unlink()
    except BaseException:
        part.unlink(missing_ok=True)
        raise
