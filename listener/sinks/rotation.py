"""Rotates a file sink's file: tickets.jsonl becomes tickets.jsonl.20261122T093000.123456Z, perhaps .gz."""

import gzip
import os
import re
import shutil
import threading
import time
from pathlib import Path

from listener.base.files import after, for_the_group, stamp, sync_directory
from listener.base.logs import get_logger

_STAMP = r"[0-9]{8}T[0-9]{6}\.[0-9]{6}Z"
log = get_logger(__name__)


class Rotation:
    """Moves a sink's file away when it is due, and compresses or removes older ones in a thread.

    `size` is in bytes, `every` in seconds; `keep` counts rotated files (None: all are kept).
    """

    def __init__(self, path: Path, size: int | None, every: float | None, keep: int | None, compress: bool) -> None:
        self._path, self._size, self._every, self._keep, self._compress = path, size, every, keep, compress
        self._name = re.compile(rf"{re.escape(path.name)}\.{_STAMP}(\.gz)?")
        self._untidy = keep is not None or compress
        self._tidying: threading.Thread | None = None

    def due(self, offset: int, written_at: float) -> bool:
        """Returns whether the file of `offset` bytes, last written at `written_at`, is to be moved before a next line.

        Periods are counted from the epoch: `every = "1d"` changes at midnight UTC, whenever the process was started.
        """
        if offset == 0:
            return False
        if self._size is not None and offset >= self._size:
            return True
        return self._every is not None and time.time() // self._every != written_at // self._every

    def move_away(self) -> None:
        """Renames the file; it keeps its inode, by which a cursor finds it again.

        Names only grow, whatever the clock does: their order is what `keep` goes by.
        """
        os.rename(self._path, f"{self._path}.{self._next_stamp()}")
        self._untidy = self._keep is not None or self._compress

    def _next_stamp(self) -> str:
        start = len(self._path.name) + 1
        newest = max((path.name[start : start + len(stamp())] for path in self._rotated()), default="")
        return max(stamp(), after(newest)) if newest else stamp()

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
            surplus = rotated[: -self._keep] if self._keep else []
            for path in surplus:
                path.unlink(missing_ok=True)
            for path in rotated[len(surplus) :]:
                if self._compress and path.suffix != ".gz":
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
