"""Gathers events into batches: those of one ticket go out one after the other, different tickets side by side. Pure.

A lane is the queue of one ticket's events. A batch takes events from the front of one or more lanes and holds these
lanes until its results are known, so that no event overtakes another of its ticket. A batch that failed stays together
and is sent again as it is.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from listener.sinks.base import Line


@dataclass(eq=False)
class Item:
    """An event on its way. `limit` bounds the events that share its batch, once a larger one failed (0: no bound)."""

    seq: int
    key: str
    line: Line
    replayed: bool = False
    is_retry: bool = False  # whether it comes from the retry queue
    attempts: int = 0
    first_ms: int = 0  # its first failure
    limit: int = 0
    added: float = 0.0
    erasures: int = 0  # the journal's count when the event was read


@dataclass(eq=False)
class Sending:
    """Items that go out together. `strikes` counts failures while the endpoint was up, the first one at `struck`."""

    items: list[Item]
    due: float = 0.0
    tried: float = 0.0
    strikes: int = 0
    struck: float = 0.0
    needed: int = 1  # strikes after which it joins the retry queue, if others pass
    keys: set[str] = field(default_factory=set)


class Batcher:
    """Holds the events that wait for a request, in a lane for each ticket, and gathers them into batches.

    `max_events` and `max_bytes` bound a batch; it waits `linger` seconds to fill up.
    """

    def __init__(self, max_events: int, max_bytes: int, linger: float) -> None:
        self._max_events, self._max_bytes, self._linger = max_events, max_bytes, linger
        self._lanes: dict[str, deque[Item]] = {}
        self._held: set[str] = set()
        self._ready: deque[str] = deque()
        self._count = 0  # items in lanes that are ready
        self.size = 0  # items in all lanes
        self.failed: list[Sending] = []  # to be sent again

    def add(self, item: Item) -> None:
        """Puts an event behind the others of its ticket."""
        lane = self._lanes.setdefault(item.key, deque())
        lane.append(item)
        self.size += 1
        if item.key not in self._held:
            self._count += 1
            if len(lane) == 1:
                self._ready.append(item.key)

    def take(self, now: float, most: int, *, hurry: bool = False) -> Sending | None:
        """Takes the next batch, of at most `most` events; returns None where there is none, or it may still fill up."""
        if not self._ready or (not hurry and now < self._fills_until()):
            return None
        sending = Sending([])
        limit, size = self._limit(most), 0
        while self._ready and len(sending.items) < limit:
            size = self._move(self._ready[0], sending, limit, size)
            if size < 0:
                break
        sending.items.sort(key=lambda item: item.seq)
        return sending

    def again(self, now: float) -> Sending | None:
        """Takes the failed batch that is due and was tried longest ago, None where none is due."""
        due = [one for one in self.failed if one.due <= now]
        if not due:
            return None
        chosen = min(due, key=lambda one: one.tried)
        self.failed.remove(chosen)
        return chosen

    def next_due(self) -> float:
        """Returns the time at which the next events may go out, if nothing else happens before."""
        times = [one.due for one in self.failed]
        return min(times + ([self._fills_until()] if self._ready else []), default=float("inf"))

    def release(self, sending: Sending, keys: Iterable[str]) -> None:
        """Frees the lanes with these keys, which the batch held."""
        for key in list(keys):
            sending.keys.discard(key)
            self._held.discard(key)
            if lane := self._lanes.get(key):
                self._count += len(lane)
                self._ready.append(key)

    def put_back(self, sending: Sending, limit: int) -> None:
        """Puts a batch's events back at the front of their lanes, to go out again in batches of at most `limit`."""
        for item in reversed(sending.items):
            item.limit = limit
            self._lanes.setdefault(item.key, deque()).appendleft(item)
            self.size += 1
        self.release(sending, sending.keys)

    def withdraw(self, key: str) -> list[Item]:
        """Takes every event out of a lane that a batch holds."""
        items = list(self._lanes.pop(key, ()))
        self.size -= len(items)
        return items

    def _limit(self, most: int) -> int:
        first = self._lanes[self._ready[0]][0]
        return min(first.limit or self._max_events, most)

    def _fills_until(self) -> float:
        first = self._lanes[self._ready[0]][0]
        full = self._max_events == 1 or first.limit or self._count >= self._max_events
        return 0.0 if full else first.added + self._linger

    def _move(self, key: str, sending: Sending, limit: int, size: int) -> int:
        """Moves the lane's events into the batch; returns the batch's bytes then, or -1 if no more fit."""
        lane, whole = self._lanes[key], sending.items[0].limit if sending.items else None
        while lane and len(sending.items) < limit:
            item = lane[0]
            if sending.items and (size + len(item.line.data) > self._max_bytes or item.limit != whole):
                return self._hold(key, sending, -1)
            whole = item.limit
            size += len(item.line.data) + 1
            sending.items.append(lane.popleft())
            self.size -= 1
            self._count -= 1
            sending.keys.add(key)
        return self._hold(key, sending, size)

    def _hold(self, key: str, sending: Sending, size: int) -> int:
        """Holds the rest of the lane until the batch has its results; returns `size` as it is."""
        if key in sending.keys:
            self._ready.popleft()
            self._held.add(key)
            self._count -= len(self._lanes[key])
            if not self._lanes[key]:
                del self._lanes[key]
        return size
