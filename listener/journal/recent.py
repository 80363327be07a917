"""Keeps the newest events in memory, for sinks that keep up; a sink that is further behind reads the database."""

import threading
from collections.abc import Callable

from listener.event import Received

MAX_EVENTS = 2048
MAX_BYTES = 2**20


def never() -> bool:
    """Returns False, for a wait that ends by an event, by `wake` or by its time alone."""
    return False


class Tail:
    """Holds a run of events with consecutive seqs, and lets threads wait for the next one."""

    def __init__(self, last_seq: int) -> None:
        self._events: list[Received] = []
        self._bytes = 0
        self._grown = threading.Condition()
        self.last_seq = last_seq
        self.erasures = 0  # how often events were erased, so that what was read before may be of one that is not there
        self.changes = 0  # how often something beside the events has changed, such as the redeliveries asked for
        self.on_change: list[Callable[[], None]] = []  # called at each, in the writer's thread

    def extend(self, events: list[Received], size: int) -> None:
        """Adds committed events, of `size` bytes; it wakes nobody who waits for events, which `wake` does."""
        with self._grown:
            self._events += events
            self._bytes += size
            self.last_seq = events[-1].seq
            self._trim()

    def erased(self) -> None:
        """Drops all events: only the database knows which of them are left."""
        with self._grown:
            self._events, self._bytes = [], 0
            self.erasures += 1
            self._grown.notify_all()

    def wake(self) -> None:
        """Has every waiter look again."""
        with self._grown:
            self._grown.notify_all()

    def changed(self) -> None:
        """Tells every waiter of a change beside the events."""
        self.changes += 1
        self.wake()
        for told in self.on_change:
            told()

    def wait(self, after: int, timeout: float, over: Callable[[], bool] = never) -> bool:
        """Waits for an event after `after`, or for `wake`, at most `timeout` seconds; returns whether there is one.

        Where `over` returns True it does not wait: whoever makes that true and then calls `wake` is never missed.
        """
        with self._grown:
            if self.last_seq <= after and not over():
                self._grown.wait(timeout)
            return self.last_seq > after

    def read(self, after: int, limit: int) -> list[Received] | None:
        """Returns the events after `after`; None where they are no longer, or not yet, all in memory."""
        with self._grown:
            if not self._events or after + 1 < self._events[0].seq:
                return None
            start = after + 1 - self._events[0].seq
            return self._events[start : start + limit]

    def _trim(self) -> None:
        """Drops the older half where there is too much, so that the list is copied seldom."""
        while len(self._events) > MAX_EVENTS or (self._bytes > MAX_BYTES and len(self._events) > 1):
            dropped, self._events = self._events[: len(self._events) // 2], self._events[len(self._events) // 2 :]
            self._bytes -= sum(len(e.payload) for e in dropped)
