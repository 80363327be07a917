"""The clocks: wall-clock time, which may jump, and how long the machine was suspended."""

import time


def suspended_seconds() -> float:
    """How long the machine has been suspended since it booted; 0 where the system does not tell.

    Linux stops CLOCK_MONOTONIC during a suspension, but not CLOCK_BOOTTIME.
    """
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return 0.0 if boot is None else time.clock_gettime(boot) - time.monotonic()


def since_boot() -> float:
    """Returns the seconds since the machine booted, those of a suspension included; no wall clock that jumps."""
    return time.monotonic() + suspended_seconds()


def now_ms() -> int:
    """Returns the wall clock's time in Unix milliseconds."""
    return time.time_ns() // 1_000_000
