"""Converts durations and sizes as people write them: "1h30m" is 5400.0 seconds, "100MiB" is 104857600 bytes. Pure."""

import re

# In this order in a text, and the largest first when one is written; milliseconds keep the sums exact.
_UNITS_MS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
DURATION_PATTERN = "".join(rf"(?:([0-9]{{1,12}}(?:\.[0-9]{{1,6}})?){unit})?" for unit in _UNITS_MS)
_DURATION = re.compile(DURATION_PATTERN)

SIZE_PATTERN = r"([0-9]{1,18}(?:\.[0-9]{1,6})?)(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB)?"
_SIZE = re.compile(SIZE_PATTERN)
_DECIMAL = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_BINARY = {"TiB": 2**40, "GiB": 2**30, "MiB": 2**20, "KiB": 2**10}
_SIZES = _DECIMAL | _BINARY


def parse_duration(text: str) -> float:
    """Returns the seconds in "500ms", "30s", "2h", "7d" or a sum such as "1h30m"; ValueError for anything else."""
    match = _DURATION.fullmatch(text)
    if not text or not match:
        raise ValueError('not a duration: write one as "500ms", "30s", "10m", "2h", "7d" or "1h30m"')
    counts = zip(match.groups("0"), _UNITS_MS.values(), strict=True)
    return sum(float(count) * unit for count, unit in counts) / 1000


def format_duration(seconds: float) -> str:
    """Writes seconds as `parse_duration` reads them, exact to the millisecond: 5400 is "1h30m", 0.25 is "250ms"."""
    rest = round(abs(seconds) * 1000)
    parts = []
    for unit, size in _UNITS_MS.items():
        count, rest = divmod(rest, size)
        parts += [f"{count}{unit}"] if count else []
    return ("-" if seconds < 0 and parts else "") + ("".join(parts) or "0s")


def parse_size(text: str) -> int:
    """Returns the bytes in "100MiB", "10MB", "1.5GiB" or "4096"; ValueError for anything else."""
    match = _SIZE.fullmatch(text)
    if not match:
        raise ValueError('not a size: write one as "100MiB", "1GiB", "10MB" or in bytes')
    return round(float(match[1]) * _SIZES[match[2] or "B"])


def format_size(size: int) -> str:
    """Writes bytes for people, in binary units with at most one decimal: 1073741824 is "1GiB", 1500 is "1.5KiB"."""
    for unit, unit_size in _BINARY.items():
        if abs(size) >= unit_size:
            return f"{size / unit_size:.1f}".removesuffix(".0") + unit
    return f"{size}B"
