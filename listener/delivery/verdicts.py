"""Decides what follows from a batch's results: done, a dead letter, sent again, or the retry queue. No I/O.

An event that fails while others pass goes into the retry queue, and its ticket's later events behind it. While nothing
passes, the endpoint is at fault (endpoint.py), and every event keeps its place.
"""

import time
from collections.abc import Collection, Sequence

from listener.base.clock import SteadyClock
from listener.base.text import encodable
from listener.delivery.batching import Batcher, Item, Sending
from listener.delivery.endpoint import Endpoint, jitter
from listener.delivery.retry_queue import RetryQueue
from listener.journal.waiting import Changes, Waiting
from listener.sinks.network import NetworkConfig
from listener.sinks.results import Delivered, Rejected, Result, TryAgain

PAUSED_STRIKES = 3  # answers such as 403 speak of the endpoint, unless one event alone keeps getting them
ONCE_MORE = 2  # strikes after which an event does not get the benefit of the doubt when an outage ends


class Verdicts:
    """Gathers the `changes` for the next commit, and in `done` the items that need nothing more."""

    def __init__(self, config: NetworkConfig, batcher: Batcher, endpoint: Endpoint, retries: RetryQueue) -> None:
        self._config, self._batcher, self._endpoint, self.retries = config, batcher, endpoint, retries
        self._strict = config.order == "strict"
        self.clock = SteadyClock()  # one that was put right by days is no reason to give an event up
        self.changes = Changes()
        self.done: list[Item] = []
        self.delivered: list[Item] = []

    @property
    def is_empty(self) -> bool:
        """Returns whether there is nothing to commit."""
        return not self.done and self.changes == Changes()

    def take(self) -> tuple[Changes, list[Item], list[Item]]:
        """Returns what to commit, the items that are done, and those of them that were delivered; then begins anew."""
        taken = self.changes, self.done, self.delivered
        self.changes, self.done, self.delivered = Changes(), [], []
        return taken

    def settle(self, sending: Sending, results: Sequence[Result], began: float) -> None:
        """Takes a batch's results, one for each item, and decides what follows for each."""
        now = time.monotonic()
        if len(results) > 1 and all(isinstance(one, Rejected) for one in results):
            self._pass(now, began)
            self._batcher.put_back(sending, max(1, len(results) // 2))  # until the one at fault is alone
            return
        again: list[tuple[Item, TryAgain]] = []
        for item, result in zip(sending.items, results, strict=True):
            if item.seq in self.retries.unwanted and not isinstance(result, Delivered):
                self.passed_over(item)
            elif isinstance(result, TryAgain):
                again.append((item, result))
            else:
                self._final(item, result)
        if not all(isinstance(one, TryAgain) for one in results):
            self._pass(now, began)
        sending.items = [item for item, _ in again]
        if again:
            self._failed(sending, again[0][1], now, began)
        self._batcher.release(sending, sending.keys - {item.key for item in sending.items})

    def unformattable(self, item: Item, reason: str) -> None:
        """Makes an event that can't be put in the sink's format a dead letter, since no attempt would help."""
        self._dead(item, reason)

    def passed_over(self, item: Item) -> None:
        """Counts an event as done that the sink's settings leave out, or that was erased or discarded."""
        if item.replayed:
            self.changes.again.append(item.seq)
        self._finish(item)

    def behind(self, item: Item) -> None:
        """Queues an event behind those of its ticket that wait for a retry."""
        self._wait_for_retry(item, "")

    def discard(self, seqs: Collection[int] | None) -> int:
        """Gives up these events of the retry queue, or all, for good; returns how many they were.

        One that is under way is given up once its attempt has failed.
        """
        gone = self.retries.withdraw(seqs)
        for row in gone:
            self.changes.waiting.pop(row.seq, None)
            self.changes.left.append(row.seq)
            if row.replayed:
                self.changes.again.append(row.seq)  # the dead letter that it was goes, too
        return len(gone) + self.retries.give_up_under_way(seqs)

    def _final(self, item: Item, result: Result) -> None:
        if isinstance(result, Delivered):
            self.delivered.append(item)
            if item.replayed:
                self.changes.again.append(item.seq)
            self._finish(item)
        elif isinstance(result, Rejected):
            item.attempts += 1
            self._dead(item, result.reason)

    def _dead(self, item: Item, reason: str) -> None:
        self.changes.dead.append((item.seq, encodable(reason), max(1, item.attempts)))
        self._finish(item)

    def _finish(self, item: Item) -> None:
        if item.is_retry:
            self.changes.waiting.pop(item.seq, None)
            self.changes.left.append(item.seq)
            self.retries.leave(item.key)
        self.done.append(item)

    def _pass(self, now: float, began: float) -> None:
        """Notes that something passed: a batch that failed while the endpoint was up is at fault itself."""
        was_down = self._endpoint.passed(now, began)
        for sending in list(self._batcher.failed):
            struck = 0 < sending.struck < now and sending.strikes >= sending.needed
            if struck and (not was_down or sending.strikes >= ONCE_MORE):
                self._batcher.failed.remove(sending)
                self._apart(sending)
            elif was_down:
                sending.struck, sending.due = 0.0, now

    def _failed(self, sending: Sending, result: TryAgain, now: float, began: float) -> None:
        was_up = not self._endpoint.down
        for item in sending.items:
            item.attempts += 1
            item.first_ms = item.first_ms or self.clock.now_ms()
        if sending.items[0].is_retry:
            self._retry_failed(sending.items[0], result, now, began)
            return
        self._endpoint.failed(id(sending), result, now, began)
        sending.tried, sending.due = now, now + jitter(sending.items[0].attempts, self._config.retry.max_delay)
        if self._strict:
            self._once_more_or_never(sending, result)
            return
        if was_up and (result.scope == "event" or result.paused):
            sending.strikes += 1
            sending.needed = PAUSED_STRIKES if result.paused else 1
            if sending.struck and sending.strikes >= sending.needed and self._endpoint.last_pass > sending.struck:
                self._apart(sending, result.reason)
                return
            sending.struck = sending.struck or now
        self._batcher.failed.append(sending)

    def _once_more_or_never(self, sending: Sending, result: TryAgain) -> None:
        """Sends a batch again, or gives it up when its time is over: in strict order no other event can pass it."""
        if result.scope == "event" and self._is_over(sending.items[0].first_ms):
            for item in sending.items:
                self._dead(item, f"given up: {result.reason}")
            sending.items = []
        else:
            self._batcher.failed.append(sending)

    def _apart(self, sending: Sending, reason: str = "") -> None:
        """Puts a single event into the retry queue; of several, smaller batches will tell which is at fault."""
        if len(sending.items) > 1:
            self._batcher.put_back(sending, max(1, len(sending.items) // 2))
            sending.items = []
            return
        (item,) = sending.items
        self._wait_for_retry(item, reason)
        for later in self._batcher.withdraw(item.key):
            self._wait_for_retry(later, "")
        sending.items = []
        self._batcher.release(sending, sending.keys)

    def _wait_for_retry(self, item: Item, reason: str) -> None:
        wait = jitter(item.attempts, self._config.retry.max_delay) if item.attempts else 0.0
        row = Waiting(item.seq, item.key, item.attempts, item.first_ms, self._by(item.first_ms, wait), reason)
        row.replayed = item.replayed
        self.retries.add(row)
        self.changes.waiting[item.seq] = row
        self.done.append(item)

    def _retry_failed(self, item: Item, result: TryAgain, now: float, began: float) -> None:
        row, others = self.retries.first(item.key), self._endpoint.last_pass
        if result.scope == "endpoint" and not result.paused:
            self._endpoint.failed(id(row), result, now, began)
            self.retries.free(item.key)
            return
        if self._is_over(item.first_ms) and not (result.paused and others < began):
            self._dead(item, f"given up: {result.reason}")
            return
        row.attempts, row.first_ms, row.reason = item.attempts, item.first_ms, result.reason
        row.next_ms = self._by(item.first_ms, jitter(item.attempts, self._config.retry.max_delay))
        self.changes.waiting[row.seq] = row
        self.retries.free(item.key)

    def _by(self, first_ms: int, wait: float) -> int:
        """Returns the time of the next attempt, no later than the one at which the event is given up."""
        give_up, due = self._config.retry.give_up_after, self.clock.now_ms() + int(wait * 1000)
        return min(due, max(self.clock.now_ms(), first_ms + int(give_up * 1000))) if give_up and first_ms else due

    def _is_over(self, first_ms: int) -> bool:
        give_up = self._config.retry.give_up_after
        return give_up is not None and self.clock.now_ms() - first_ms >= give_up * 1000
