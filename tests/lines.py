"""Reads the file of a sink that may be writing to it."""

from pathlib import Path


def whole_lines(path: Path) -> list[bytes]:
    """The lines, without one that has no end yet; none where there is no file."""
    data = path.read_bytes() if path.exists() else b""
    return data[: data.rfind(b"\n") + 1].splitlines()
