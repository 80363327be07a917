"""The wall clock. Durations are measured with time.monotonic() instead: this one may jump."""

import time


def now_ms() -> int:
    """Unix milliseconds."""
    return time.time_ns() // 1_000_000
