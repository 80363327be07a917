"""Counts this process's calls of the platform's APIs, keeps to each API's limit, and ends calls with the budget.

A small plan has 10,000 calls a month for all custom apps of the tenant together. Once the platform answers 99991403, or
`feishu.max_calls_per_month` is reached, optional calls end until the next month (UTC). Events never pass here.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from listener.base.errors import Unavailable
from listener.base.logs import get_logger

Windows = tuple[tuple[int, float], ...]
LIMITS: dict[str, Windows] = {
    "tickets": ((40, 1.0), (900, 60.0)),  # the platform's are 50 a second and 1,000 a minute
    "ticket": ((8, 1.0),),  # 10 a second
    "messages": ((8, 1.0),),  # unpublished
    "images": ((8, 1.0),),  # unpublished
}
"""(calls, seconds) that each API bears, a little under the documented limits."""
log = get_logger(__name__)


class CallsHalted(Unavailable):
    """The month's budget of API calls is used up: optional calls wait for the next month."""


class Meter:
    """Counts the calls of all threads. With `optional` False its calls are counted, and never refused."""

    def __init__(self, limit: int | None = None, *, clock: Callable[[], float] = time.time) -> None:
        self.limit, self._clock = limit, clock
        self._guard = threading.Lock()
        self._month = month_of(clock())
        self._counts: Counter[str] = Counter()  # of this month, those that earlier runs kept included
        self._unkept: Counter[str] = Counter()
        self._recent: dict[str, deque[float]] = {}
        self.halted = ""  # why; "" while calls may be made
        self.optional = True

    @property
    def month(self) -> str:
        """Returns the month that is counted now, such as "2026-11"."""
        return self._month

    def counts(self) -> dict[str, int]:
        """Returns this month's calls by API."""
        with self._guard:
            self._turn_month()
            return dict(self._counts)

    def total(self) -> int:
        """Returns this month's calls of all APIs."""
        return sum(self.counts().values())

    def take(self, api: str, sleep: Callable[[float], object] = time.sleep) -> None:
        """Counts one call, after a wait where its API's limit wants one. Raises CallsHalted."""
        while (wait := self._try(api)) > 0:
            sleep(wait)

    def quota_used_up(self, why: str) -> None:
        """Ends optional calls until the next month, and tells of it once."""
        with self._guard:
            if self.halted:
                return
            self.halted = why
        log.error(
            "no more calls of the platform's API until next month: events come as ever, the rest waits",
            because=why,
            hint="the quota is the tenant's: 飞书管理后台 / Feishu Admin; ours is feishu.max_calls_per_month",
        )

    def restore(self, month: str, counts: Mapping[str, int], halted: str) -> None:
        """Takes over what an earlier run, or another process, has counted in this month."""
        with self._guard:
            self._turn_month()
            if month == self._month:
                self._counts = Counter(counts) + self._unkept
                self.halted = self.halted or halted

    def unkept(self) -> tuple[str, dict[str, int]]:
        """Returns the month and the calls that are not on disk yet, from which `kept` takes them."""
        with self._guard:
            self._turn_month()
            return self._month, dict(self._unkept)

    def kept(self, month: str, counts: Mapping[str, int]) -> None:
        """Notes that these calls are on disk."""
        with self._guard:
            if month == self._month:
                self._unkept -= Counter(counts)

    def _try(self, api: str) -> float:
        """Counts the call and returns 0, or returns the seconds to wait."""
        with self._guard:
            self._turn_month()
            over = self.limit is not None and sum(self._counts.values()) >= self.limit
            if not (self.optional and (self.halted or over)):
                return self._count(api)
            why = self.halted or f"feishu.max_calls_per_month ({self.limit}) is reached"
        self.quota_used_up(why)
        raise CallsHalted(f"no calls until next month: {why}", hint="events are not affected")

    def _count(self, api: str) -> float:
        if (wait := self._wait(api)) <= 0:
            self._counts[api] += 1
            self._unkept[api] += 1
        return max(0.0, wait)

    def _wait(self, api: str) -> float:
        now, windows = time.monotonic(), LIMITS.get(api, ())
        recent = self._recent.setdefault(api, deque(maxlen=max((calls for calls, _ in windows), default=1)))
        waits = [recent[-calls] + seconds - now for calls, seconds in windows if len(recent) >= calls]
        if (wait := max(waits, default=0.0)) <= 0:
            recent.append(now)
        return wait

    def _turn_month(self) -> None:
        if (month := month_of(self._clock())) != self._month:
            self._month, self.halted = month, ""
            self._counts.clear()
            self._unkept.clear()


def month_of(seconds: float) -> str:
    """Returns the month of a Unix time, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m")
