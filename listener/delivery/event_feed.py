"""Reads what a network sink is to send: new events ahead of its cursor, redeliveries, and retries that are due."""

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from listener.base.errors import JournalError
from listener.base.logs import get_logger
from listener.delivery.batching import Batcher, Item, Sending
from listener.delivery.preparing import Preparer
from listener.delivery.progress import Progress, Step
from listener.delivery.verdicts import Verdicts
from listener.event import Received, ticket_of
from listener.journal import Cursor, Journal
from listener.journal.query import kept_of
from listener.sinks.base import Line
from listener.sinks.network import NetworkConfig

CHUNK = 128  # events read a turn, so that answers are heard in between
WINDOW, MAX_BYTES = 1024, 32 * 2**20  # events and bytes that are read ahead of the cursor
JAMMED = 20_000  # events that are read ahead while none of them may go out
LOOK_FOR_REDELIVERIES = 1.0  # seconds
log = get_logger(__name__)


class EventFeed:
    """Reads events from the journal, prepares the sink's lines of them, and hands these to the batcher."""

    def __init__(
        self,
        config: NetworkConfig,
        journal: Journal,
        cursor: Cursor,
        *,
        preparer: Preparer,
        batcher: Batcher,
        verdicts: Verdicts,
    ) -> None:
        self.config, self._journal, self._preparer = config, journal, preparer
        self._batcher, self._verdicts = batcher, verdicts
        self.progress = Progress(cursor)
        self.step: Step | None = None  # of the redelivery that is being carried out
        self.next_look = 0.0
        self.filtered = 0
        self.preparing: tuple[asyncio.Task[list[tuple[Received, Line | str | None]]], bool] | None = None
        self._erasures = 0  # the journal's count before the last events were read
        self._window = max(WINDOW, 4 * config.in_flight * config.batch.max_events)

    @property
    def is_full(self) -> bool:
        """Returns whether enough was read for now."""
        return self._batcher.size >= self._window or self.progress.bytes > MAX_BYTES

    def read_ahead(self, *, jammed: bool) -> None:
        """Reads a chunk of new events, while there is room; `jammed`: none of what was read before may go out now."""
        jammed = jammed and self._batcher.size < JAMMED
        room = self._batcher.size < self._window or jammed
        if not room or self.progress.bytes > MAX_BYTES or self.is_preparing:
            return
        self._erasures, last = self._journal.erasures, self._journal.last_seq
        events = self._journal.read(self.progress.read_to, CHUNK)
        self._begin([event for event in events if self.progress.begin(event)], replayed=False)
        self.progress.read_to = events[-1].seq if events else max(last, self.progress.read_to)

    def take_redeliveries(self) -> None:
        """Hands the next events of a replay or retry to the batcher, as many as may be under way at a time."""
        if self.step is not None or time.monotonic() < self.next_look or self.is_preparing:
            return
        self._erasures = self._journal.erasures
        name, most = self.config.name, self.config.in_flight * self.config.batch.max_events
        redelivery = self._journal.next_redelivery(name)
        if redelivery is None:
            self.next_look = time.monotonic() + LOOK_FOR_REDELIVERIES
            return
        events, upto = self._journal.events_of(redelivery, redelivery.done_seq, most)
        events = [event for event in events if event.seq not in self._verdicts.retries.seqs]
        self.step = Step(redelivery, upto, {event.seq for event in events})
        self._begin(events, replayed=True)

    @property
    def is_preparing(self) -> bool:
        """Returns whether a thread still runs the users' expressions on the events that were read last.

        Once the thread is done, this adds the events to the batcher.
        """
        if self.preparing and self.preparing[0].done():
            done, replayed = self.preparing
            self.preparing = None
            self._add(done.result(), replayed=replayed)
        return self.preparing is not None

    def _begin(self, events: Sequence[Received], *, replayed: bool) -> None:
        """Prepares events, in a thread where there are users' expressions: their time must not hold up answers."""
        if not self._preparer.may_take_long:
            self._add(self._prepared(events), replayed=replayed)
        elif events:
            task = asyncio.ensure_future(asyncio.to_thread(lambda: list(self._prepared(events))))
            self.preparing = task, replayed

    def _add(self, prepared: Iterable[tuple[Received, Line | str | None]], *, replayed: bool) -> None:
        for event, line in prepared:
            item = Item(event.seq, self._key(event), Line(event, b""), replayed, added=time.monotonic())
            item.erasures = self._erasures
            if not self._fits(item, line):
                continue
            if item.key in self._verdicts.retries:
                self._verdicts.behind(item)
            else:
                self._batcher.add(item)

    def _prepared(self, events: Sequence[Received]) -> Iterator[tuple[Received, Line | str | None]]:
        """Yields each event with its line, with why it has none, or with None where the sink does not want it."""
        by_seq = {event.seq: event for event in events}
        for prepared in self._preparer.prepare_all(events):
            yield from ((line.event, line) for line in prepared.lines)
            yield from ((by_seq[seq], None) for seq in prepared.passed)
            if prepared.failed:
                yield prepared.failed

    def _fits(self, item: Item, line: Line | str | None) -> bool:
        """Returns whether the event is to be sent; if not, it is passed over, or becomes a dead letter."""
        if isinstance(line, Line):
            item.line = line
        elif line is None:
            self.filtered += 1
            self._verdicts.passed_over(item)
        else:
            self._verdicts.unformattable(item, line)
        return isinstance(line, Line)

    def _key(self, event: Received) -> str:
        if self.config.order == "strict":
            return ""
        return ticket_of(event.payload) or f"-{event.seq}"

    def next_retry(self) -> Sending | None:
        """Returns the event of the retry queue whose attempt is due, as a batch of its own; None where none is due."""
        queue, longest_ms = self._verdicts.retries, round(self.config.retry.max_delay * 1000)
        while not self.is_preparing and (row := queue.take(self._verdicts.clock.now_ms(), longest_ms)):
            erasures = self._journal.erasures
            events = self._journal.read(row.seq - 1, 1)
            item = Item(row.seq, row.ticket, Line(Received(row.seq, "", "", 0, b""), b""), row.replayed, is_retry=True)
            item.attempts, item.first_ms, item.erasures = row.attempts, row.first_ms, erasures
            if not events or events[0].seq != row.seq:
                log.info("an event that waited was erased", sink=self.config.name, seq=row.seq)
                self._verdicts.passed_over(item)
                continue
            if any(self._fits(item, line) for _, line in self._prepared(events)):
                return Sending([item])
        return None

    def still_kept(self, sending: Sending) -> bool:
        """Passes over the events of a batch that were erased since they were read; returns whether any is left."""
        erasures = self._journal.erasures
        if all(item.erasures == erasures for item in sending.items):
            return True
        seqs = kept = {item.seq for item in sending.items}
        with suppress(JournalError):  # they go out then, rather than not at all
            kept = self._journal.ask(lambda connection: kept_of(connection, seqs))
        left = [item for item in sending.items if item.seq in kept]
        for item in sending.items:
            item.erasures = erasures
            if item.seq not in kept:
                self._verdicts.passed_over(item)
        sending.items = left
        self._batcher.release(sending, sending.keys - {item.key for item in left})
        return bool(left)
