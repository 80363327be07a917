"""A file sink that rotates by itself: tickets.jsonl becomes tickets.jsonl.20261122T093000.123456Z, perhaps .gz."""

import gzip
import os
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

from listener.logs import get_logger

log = get_logger(__name__)


class Rotation:
    """`size` in bytes, `every` in seconds, `keep` counts rotated files (None: all)."""

    def __init__(self, path: Path, size: int | None, every: float | None, keep: int | None, compress: bool) -> None:
        self._path, self._size, self._every, self._keep, self._compress = path, size, every, keep, compress
        self._untidy = True

    def due(self, offset: int, written_at: float) -> bool:
        """Whether the file of `offset` bytes, last written at `written_at`, is to be moved away before the next line.

        Periods are counted from the epoch: `every = "1d"` changes at midnight UTC, whenever the process was started.
        """
        if offset == 0:
            return False
        if self._size is not None and offset >= self._size:
            return True
        return self._every is not None and time.time() // self._every != written_at // self._every

    def move_away(self) -> None:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        os.rename(self._path, f"{self._path}.{stamp}")
        self._untidy = True

    def tidy(self) -> None:
        """Compresses and removes what was moved away, once the place in the new file is kept."""
        if not self._untidy:
            return
        self._untidy = False
        rotated = sorted(self._path.parent.glob(f"{self._path.name}.[0-9]*Z*"))
        surplus = rotated[: -self._keep] if self._keep else []
        for path in surplus:
            path.unlink(missing_ok=True)
        if self._compress:
            for path in rotated[len(surplus) :]:
                if path.suffix not in (".gz", ".tmp"):
                    _compress(path)


def _compress(path: Path) -> None:
    part = Path(f"{path}.gz.tmp")
    try:
        with (
            path.open("rb") as source,
            open(part, "wb", opener=_private) as raw,
            gzip.GzipFile(path.name, "wb", fileobj=raw) as packed,
        ):
            shutil.copyfileobj(source, packed)
        os.rename(part, f"{path}.gz")
        path.unlink()
    except OSError as e:
        log.warning("a rotated file could not be compressed", path=str(path), because=str(e))
        part.unlink(missing_ok=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o640)
