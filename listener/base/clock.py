"""Tells the time: the wall clock's, which may jump, and how long the machine was suspended."""

import asyncio
import time


def suspended_seconds() -> float:
    """Returns how long the machine has been suspended since it booted; 0 where the system does not tell.

    Linux stops CLOCK_MONOTONIC during a suspension, but not CLOCK_BOOTTIME.
    """
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return 0.0 if boot is None else time.clock_gettime(boot) - time.monotonic()


def since_boot() -> float:
    """Returns the seconds since the machine booted, a suspension included; unlike a wall clock it never jumps."""
    return time.monotonic() + suspended_seconds()


def now_ms() -> int:
    """Returns the wall clock's time in Unix milliseconds."""
    return time.time_ns() // 1_000_000


class SteadyClock:
    """Tells the time by the wall clock of its own beginning: while it is in use, no jump of that clock shows."""

    def __init__(self) -> None:
        self._booted_ms = now_ms() - round(since_boot() * 1000)

    def now_ms(self) -> int:
        """Returns Unix milliseconds."""
        return self._booted_ms + round(since_boot() * 1000)


async def next_beat(every: float) -> None:
    """Sleeps until the loop's clock shows a whole multiple of `every`: all who look at one rate share a wake-up."""
    await asyncio.sleep(every - asyncio.get_running_loop().time() % every)
