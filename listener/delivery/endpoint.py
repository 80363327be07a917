"""Judges whether a network sink's other end works, by the outcome of its requests. Pure.

A failure that speaks of the endpoint (refused, 401, 429) marks it as down at once. One that may be the event's own
(500, a time-out) does so only where two different batches fail and nothing passes in between. While it is down, one
request at a time probes it, after full jitter and not before the time that the endpoint asked for.
"""

import random
from collections.abc import Callable

from listener.sinks.results import TryAgain

FIRST_DELAY = 0.1  # seconds, doubled with each failure; each wait is a random part of it
DISTINCT = 2  # batches that fail on their own account in a row


def jitter(tries: int, longest: float, rand: Callable[[], float] = random.random) -> float:
    """Returns the seconds until the next attempt: a random time up to a bound that doubles with each try."""
    return rand() * min(longest, FIRST_DELAY * float(2 ** min(tries, 30)))


class Endpoint:
    """Judges by each request's outcome whether the other end works, and says when the next request may go out.

    `max_delay` is in seconds; times are the caller's monotonic ones.
    """

    def __init__(self, max_delay: float, in_flight: int, rand: Callable[[], float] = random.random) -> None:
        self._max_delay, self._in_flight, self._rand = max_delay, in_flight, rand
        self._suspects: set[int] = set()
        self._width = in_flight  # requests at a time; grows again after an outage
        self._since = 0.0
        self._tries = 0
        self._soft = False  # taken for down because of failures that may be the events' own
        self.down = False
        self.paused: str | None = None  # why, if somebody must change a setting
        self.next_probe = 0.0
        self.last_pass = 0.0

    def slots(self, now: float, under_way: int) -> int:
        """Returns how many requests may begin now, with `under_way` of them already sent."""
        if self.down:
            return int(under_way == 0 and now >= self.next_probe)
        return max(0, self._width - under_way)

    def passed(self, now: float, began: float) -> bool:
        """Notes an answer which shows that the endpoint works; returns whether it counted as down until now."""
        if self.down and not self._soft and began < self._since:
            return False
        was_down, self.down, self.paused = self.down, False, None
        self.last_pass, self._tries = now, 0
        self._suspects.clear()
        self._width = min(self._in_flight, self._width + 1)
        return was_down

    def failed(self, which: int, result: TryAgain, now: float, began: float) -> None:
        """Notes a failure of the batch that `which` identifies."""
        hard = result.scope == "endpoint"
        if self.down:
            self._soft &= not hard
            self._tries += began >= self._since
            self._schedule(result, now)
            return
        self._suspects.add(which)
        if hard or len(self._suspects) >= DISTINCT:
            self.down, self._soft, self._since, self._tries, self._width = True, not hard, now, 0, 1
            self.next_probe = 0.0
            self._schedule(result, now)

    def hurry(self) -> None:
        """Lets the next probe go out now, since something has changed that may help."""
        self.next_probe = 0.0

    def _schedule(self, result: TryAgain, now: float) -> None:
        self.paused = result.reason if result.paused else None
        wait = jitter(self._tries, self._max_delay, self._rand)
        if result.paused:
            wait = self._max_delay * (0.5 + self._rand() / 2)
        self.next_probe = max(self.next_probe, now + max(wait, result.after or 0.0))
