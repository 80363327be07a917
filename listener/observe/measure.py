"""Measures a running daemon, cheaply enough for the receive path: a few appends a commit, sums when somebody asks."""

import time
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Sequence

from listener.journal import Pending
from listener.observe.deliveries import Deliveries
from listener.sinks.base import Line

RING = 4096  # acks that the percentile looks at
MINUTE = 60.0  # seconds
ACK_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)  # seconds
DELAY_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0, 3600.0, 86400.0)  # seconds


class Recent:
    """Keeps the newest values and tells their percentiles."""

    def __init__(self) -> None:
        self._values: deque[float] = deque(maxlen=RING)

    def observe(self, values: Iterable[float]) -> None:
        self._values.extend(values)

    def percentile(self, percent: float) -> float | None:
        """Returns the percentile by nearest rank, None where there is no value yet."""
        ordered = sorted(self._values)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else None


class Rate:
    """Tells the rate of a growing count over the last minute."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def note(self, now: float, count: int) -> None:
        """Notes the count at a monotonic time; called every few seconds."""
        self._seen.append((now, count))
        while len(self._seen) > 2 and now - self._seen[1][0] >= MINUTE:
            self._seen.popleft()

    def per_second(self) -> float:
        if len(self._seen) < 2:
            return 0.0
        (since, before), (now, count) = self._seen[0], self._seen[-1]
        return round((count - before) / (now - since), 3)


class Histogram:
    """Counts values up to each bound, as Prometheus' histograms do; one thread writes it."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, values: Iterable[float]) -> None:
        for value in values:
            self._counts[bisect_left(self._bounds, value)] += 1
            self.sum += value

    def buckets(self) -> list[tuple[str, float]]:
        """Returns (upper bound, number of values up to it), cumulative, the last one "+Inf"."""
        total, buckets = 0, []
        for bound, count in zip((*map(str, self._bounds), "+Inf"), self._counts, strict=True):
            total += count
            buckets.append((bound, float(total)))
        return buckets


class Latencies:
    """Measures acks and deliveries. Histograms cost more than the newest acks do, so they need a possible scrape."""

    def __init__(self, *, histograms: bool) -> None:
        self.recent_acks = Recent()
        self.acks = Histogram(ACK_BOUNDS) if histograms else None
        self.delays: dict[str, Histogram] = {}
        self.deliveries = Deliveries() if histograms else None  # for the page

    def on_settled(self, batch: Sequence[Pending]) -> None:
        """Notes how long the acks of one commit took, from receipt; called in the loop."""
        now = time.monotonic()
        seconds = [now - pending.since for pending in batch]
        self.recent_acks.observe(seconds)
        if self.acks is not None:
            self.acks.observe(seconds)

    def on_delivered(self, sink: str, lines: Sequence[Line]) -> None:
        """Notes how long events took from receipt to the sink; called in the sink's own thread."""
        if self.acks is None:
            return
        now_ms = time.time() * 1000
        if self.deliveries is not None:
            self.deliveries.note(sink, lines)
        delays = self.delays.setdefault(sink, Histogram(DELAY_BOUNDS))
        delays.observe([max(0.0, now_ms - line.event.received_ms) / 1000 for line in lines])
