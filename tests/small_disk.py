"""A small disk of its own, that can be filled: tmpfs, which needs root."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

FILLER = "filler"


class SmallDisk:
    """`path` is its root directory."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def fill(self, leave: int = 0) -> None:
        """Leaves so many bytes free, to the page."""
        with (self.path / FILLER).open("ab") as file:
            while (free := self._free() - leave) > 0:
                try:
                    file.write(b"\0" * min(free, 65536))
                    file.flush()
                except OSError:
                    return

    def empty(self) -> None:
        (self.path / FILLER).unlink()

    def _free(self) -> int:
        state = os.statvfs(self.path)
        return state.f_bavail * state.f_frsize


@contextmanager
def small_disk(at: Path, size: str = "4m") -> Iterator[SmallDisk]:
    """Skips the test where it can't be had."""
    at.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", at], capture_output=True, check=False
    )
    if mount.returncode:
        pytest.skip(f"no small tmpfs to be had: {mount.stderr.decode().strip()}")
    try:
        yield SmallDisk(at)
    finally:
        subprocess.run(["umount", "-l", at], check=True)
