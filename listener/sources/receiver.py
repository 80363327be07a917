"""Receives payloads: each goes to the journal, and is answered with 200 once it is on disk, or with 500.

The platform gives a handler 3 s. What is not on disk by then is refused, so that it is pushed again; a commit that
succeeds late keeps the event all the same, and the second push is a duplicate.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from listener.base.logs import get_logger
from listener.event import Unparsable, identify
from listener.journal import Journal, Pending
from listener.journal.model import KEPT, REFUSED

DEADLINE = 2.5  # seconds from receipt to the answer; the platform's is 3
SWEEP = 0.25  # seconds
MAX_WAITING = 64 * 2**20  # bytes of payloads that wait for the disk
MAX_TYPES = 100  # unknown event types that are told apart
log = get_logger(__name__)


@dataclass
class ReceiveState:
    """Counts since the start; `last_event_at` is in Unix seconds."""

    acks: dict[int, int] = field(default_factory=lambda: {KEPT: 0, REFUSED: 0})
    kept: int = 0
    duplicates: int = 0
    unreadable: int = 0
    late: int = 0
    other_types: dict[str, int] = field(default_factory=dict)
    last_event_at: float | None = None


class Receiver:
    """Takes the events of every source. It lives in the loop's thread."""

    def __init__(
        self,
        journal: Journal,
        event_types: Collection[str],
        on_settled: Callable[[list[Pending]], None] | None = None,
    ) -> None:
        self.state = ReceiveState()
        self._journal = journal
        self._handlers = dict.fromkeys(event_types, self._keep)
        self._on_settled = on_settled
        self._loop = asyncio.get_running_loop()
        self._arrived: list[Pending] = []
        self._waiting: deque[Pending] = deque()
        self._waiting_bytes = 0
        self._sweep: asyncio.TimerHandle | None = None
        journal.writer.on_settled = self._from_writer

    def receive(self, payload: bytes) -> Pending:
        """Takes an event in and returns it; the caller must set its `reply` before the loop goes on."""
        try:
            event_id, event_type = identify(payload)
        except Unparsable as e:
            pending = Pending(payload, "", "", unreadable=e.reason)
            self._keep(pending)
        else:
            pending = Pending(payload, event_id, event_type)
            self._handlers.get(event_type, self._count)(pending)
        return pending

    def _keep(self, pending: Pending) -> None:
        if self._waiting_bytes + len(pending.payload) > MAX_WAITING:
            self._loop.call_soon(self._answer, pending, REFUSED)
            return
        self._waiting.append(pending)
        self._waiting_bytes += len(pending.payload)
        if not self._arrived:
            self._loop.call_soon(self._hand_over)
        self._arrived.append(pending)
        if self._sweep is None:
            self._sweep = self._loop.call_later(SWEEP, self._refuse_late)

    def _hand_over(self) -> None:
        """Hands the events of one socket read to the writer together, so that they share a commit."""
        arrived, self._arrived = self._arrived, []
        for pending in arrived:
            self._journal.append(pending)

    def _count(self, pending: Pending) -> None:
        """Counts an event that nobody asked for, and acks it: a retry would not change that."""
        kind = pending.event_type[:128]
        known = self.state.other_types
        if kind not in known and len(known) >= MAX_TYPES:
            kind = "(others)"
        if kind not in known:
            log.info(
                "events of this type are not forwarded", event_type=kind, hint="feishu.events names those that are"
            )
        known[kind] = known.get(kind, 0) + 1
        self._loop.call_soon(self._answer, pending, KEPT)

    def _from_writer(self, batch: list[Pending]) -> bool:
        """Wakes the loop up once for a whole commit, in the writer's thread; returns whether there is a loop."""
        try:
            self._loop.call_soon_threadsafe(self._settle, batch)
        except RuntimeError:  # the loop is closed: what is kept is kept, and the platform pushes again
            return False
        return True

    def _settle(self, batch: list[Pending]) -> None:
        for pending in batch:
            self._waiting_bytes -= len(pending.payload)
            if pending.code == KEPT:
                self._tally(pending)
            self._answer(pending, pending.code)
        self._forget_answered()
        self._loop.call_soon(self._journal.wake)  # the sinks, after the acks, which leave at the end of this turn
        if self._on_settled:
            self._on_settled(batch)

    def _tally(self, pending: Pending) -> None:
        self.state.last_event_at = pending.received_ms / 1000
        if pending.duplicate:
            self.state.duplicates += 1
            log.debug("duplicate dropped", event_id=pending.event_id)
        elif pending.unreadable:
            self.state.unreadable += 1
            log.warning("a payload can't be read; it is kept aside", because=pending.unreadable)
        else:
            self.state.kept += 1

    def _answer(self, pending: Pending, code: int) -> None:
        if pending.settle(code):
            self.state.acks[code] += 1

    def _forget_answered(self) -> None:
        """Drops the answered events at the front, so that the queue holds no more payloads than the disk is slow."""
        while self._waiting and self._waiting[0].reply is None:
            self._waiting.popleft()

    def _refuse_late(self) -> None:
        self._sweep = None
        now = self._loop.time()
        while self._waiting and now - self._waiting[0].since > DEADLINE:
            pending = self._waiting.popleft()
            if pending.reply is not None:
                self.state.late += 1
                log.warning("not on disk in time: refused, to be pushed again", event_id=pending.event_id)
                self._answer(pending, REFUSED)
        if self._waiting:
            self._sweep = self._loop.call_later(SWEEP, self._refuse_late)
