"""Delivers to one local sink in a thread of its own, from the sink's cursor to the newest event.

A worker reads a batch, delivers it, tries again until that works, advances its cursor, and goes on. It gives the cursor
to the journal once the delivered lines are synced, as far as the sink promises that. What a sink rejects, or what was
tried for `retry.give_up_after`, becomes a dead letter. Replays and retries take turns with new events;
journal/redelivery.py says how a crash leaves the two apart. No sink can harm another.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from listener.base.errors import JournalError
from listener.base.logs import get_logger
from listener.base.threads import give_way
from listener.delivery.attempts import JOURNAL_PAUSE, Attempts, SinkState, while_kept
from listener.delivery.formatting import Formatter
from listener.delivery.preparing import Prepared, Preparer
from listener.delivery.syncing import QUIET, Unsynced
from listener.event import Received
from listener.journal import Cursor, Journal, Redelivery
from listener.sinks.base import Closed, Line, LineRejected, LinesWritten, NotWritten, Outcome, Sink, SinkConfig

BATCH = 256  # events a delivery
SYNC_PAUSE = 5.0  # seconds until lines are written again whose sync failed
NICENESS = 5  # receiving goes first: a tenth more events a second on a processor that has no time to spare
IDLE = 2.0  # seconds between calls of `idle`, where the sink does not say `idle_every`, when nothing comes
NOTHING_TAKEN = 0.25  # seconds until the next attempt where a sink takes nothing and says that all is well
log = get_logger(__name__)


class Worker:
    """Runs a local sink. After `stop()` it still delivers what is journalled by then, until `abandon` is set."""

    def __init__(
        self,
        config: SinkConfig,
        sink: Sink,
        journal: Journal,
        cursor: Cursor,
        *,
        formatter: Formatter,
        abandon: threading.Event,
        limit: int | None = None,
        on_end: Callable[["Worker"], None] = lambda worker: None,
        on_delivered: Callable[[Sequence[Line]], None] | None = None,
    ) -> None:
        self.config, self.sink = config, sink
        self.state = SinkState(config.name, seq=cursor.seq)
        self._attempts = Attempts(self.state, config.retry, abandon)
        self._journal, self._cursor = journal, cursor
        self._unsynced = Unsynced(cursor)
        self._preparer = Preparer(config, formatter, abandon)
        self._abandon, self._limit, self._on_end, self._on_delivered = abandon, limit, on_end, on_delivered
        self._drain_to: int | None = None
        self._unkept = False  # the position must be on disk before the next delivery
        self._redelivery: Redelivery | None = None  # the one that is being carried out
        self._reached = cursor.seq  # delivered or passed over up to here, of what is new or of the redelivery
        self._changes = -1  # how many of the journal's are known: one may be a redelivery
        self._idle_every: float = getattr(sink, "idle_every", IDLE)
        self.ended = self.died = False
        self._thread = threading.Thread(target=self._run, name=f"sink-{config.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends the worker once everything that is journalled now is delivered."""
        self._drain_to = self._journal.last_seq
        self._journal.wake()

    def abandon(self) -> None:
        """Ends the worker as soon as the delivery under way is over; the rest stays in the journal."""
        self._abandon.set()
        self._journal.wake()

    @property
    def cursor(self) -> Cursor:
        """Returns the sink's cursor, which stays once the worker has ended."""
        return self._cursor

    def join(self, timeout: float) -> bool:
        """Waits up to `timeout` seconds for the worker's end; returns whether it has ended."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def carry_out_redeliveries(self) -> None:
        """Delivers replays and retries alone, in the caller's thread, instead of `start`. Raises JournalError."""
        self.open()
        while not self._finished() and self._carry_out_next():
            continue
        self._journal.flush()
        self.sink.close()
        self._preparer.close()

    def _run(self) -> None:
        give_way(NICENESS)
        try:
            self.open()
            while not self._finished():
                try:
                    self.turn()
                except JournalError as e:
                    self._attempts.failed(str(e))
                    self._abandon.wait(JOURNAL_PAUSE)
            if self._unsynced:
                self.keep()
            self._attempts.in_passing(self.sink.close)
        except BaseException:
            self.died = True
            log.exception("a sink's worker died", sink=self.config.name)
        finally:
            self._journal.leave()
            self._preparer.close()
            self.ended = True
            self._on_end(self)

    def _finished(self) -> bool:
        drained = self._drain_to is not None and self._cursor.seq >= self._drain_to
        full = self._limit is not None and self.state.delivered >= self._limit
        return drained or full or self._abandon.is_set() or self.state.closed

    def open(self) -> None:
        """Opens the sink at its position; waits until that works."""
        self._attempts.until_open(self._open)

    def turn(self) -> None:
        """Delivers a step of a replay or retry, if there is one, and a batch of new events; the thread repeats this."""
        if self._unkept:
            self._journal.flush()
            self._unkept = False
        if self._unsynced.due(self._journal.retention.max_size):
            self.keep()
        busy = self._changes != self._journal.changes and self._carry_out_next()
        erasures, last = self._journal.erasures, self._journal.last_seq
        if events := self._journal.read(self._cursor.seq, self._batch()):
            self._deliver(events, erasures)
        elif last > self._cursor.seq:  # numbers without events: these left the journal, or were lost in damage
            self._skip_to(last)
        elif not busy:
            self._rest()

    def _skip_to(self, seq: int) -> None:
        self._move(seq, self._cursor.position)
        if not self._unsynced:
            self.keep()

    def _rest(self) -> None:
        pause = QUIET if self._unsynced else self._idle_every
        if self._attempts.in_passing(self.sink.idle) is not None:
            self._close()
        elif not self._journal.wait(self._cursor.seq, pause, self._is_wanted) and self._unsynced:
            self.keep()

    def _is_wanted(self) -> bool:
        """Returns whether something happened that no new event tells of."""
        return self._finished() or self._changes != self._journal.changes

    def keep(self) -> bool:
        """Syncs the sink and gives the journal its cursor. Where the sync fails, it goes back and returns False."""
        if failure := self._unsynced.sync():
            self._attempts.failed(failure)
            self.state.delivered -= self._unsynced.events
            self._cursor, self._reached = self._unsynced.cursor, -1
            self.state.seq = self._cursor.seq
            self._unsynced.settled(self._cursor)
            self._abandon.wait(SYNC_PAUSE)
            return False
        self._unsynced.settled(self._cursor)
        self._journal.advance(self.config.name, self._cursor)
        return True

    def _batch(self) -> int:
        return BATCH if self._limit is None else max(1, min(BATCH, self._limit - self.state.delivered))

    def _open(self) -> Outcome:
        """Opens the sink; lines past its position are of the replay or retry that had begun, if one had."""
        redelivery = self._journal.next_redelivery(self.config.name)
        self._redelivery = redelivery if redelivery and redelivery.started else None
        upcoming = (line.data for line in self._ahead())  # for a sink that compares them with what it has
        outcome = self.sink.open(self._cursor.position, upcoming)
        if outcome.count:
            log.info("found lines of before the last stop in place", sink=self.config.name, lines=outcome.count)
        self._advance(list(islice(self._ahead(), outcome.count)), outcome)
        self._redelivery = None
        return outcome

    def _ahead(self) -> Iterator[Line]:
        return self._preparer.upcoming(self._journal, self._redelivery, self._place())

    def _place(self) -> int:
        return self._redelivery.done_seq if self._redelivery else self._cursor.seq

    def _carry_out_next(self) -> bool:
        """Delivers a step of the next replay or retry; returns whether there was one."""
        changes, erasures = self._journal.changes, self._journal.erasures
        if (redelivery := self._journal.next_redelivery(self.config.name)) is None:
            self._changes = changes
            return False
        if self._unsynced and not self.keep():
            return True
        events, upto = self._journal.events_of(redelivery, redelivery.done_seq, BATCH)
        self._redelivery = redelivery
        try:
            if events:
                self._journal.begin(redelivery)
                self._unkept = False
                self._deliver(events, erasures)
            else:
                self._journal.progress(redelivery, upto, self._cursor)
        finally:
            self._redelivery = None
        return True

    def _deliver(self, events: list[Received], erasures: int) -> None:
        """Delivers the sink's lines of these events; then, if all are out, handles the event on which a step failed."""
        self._reached = events[0].seq - 1
        self._unsynced.size += sum(len(event.payload) for event in events)
        prepared = self._preparer.prepare(events)
        if lines := prepared.lines:
            step = while_kept(self._journal, erasures, lambda: self.sink.deliver(lines), self._cursor.position)
            self._settle(lines, *self._attempts.until_done(step, lines))
        if not lines or self._reached == lines[-1].event.seq:
            self._pass_over(prepared)
        self.state.filtered += sum(seq <= self._reached for seq in prepared.passed)

    def _pass_over(self, prepared: Prepared) -> None:
        """Advances to the last prepared event, and makes the one that failed a dead letter."""
        if prepared.upto > self._reached and self._redelivery:
            self._insist(lambda one: self._journal.progress(one, prepared.upto, self._cursor, prepared.passed))
            self._reached = prepared.upto
        elif prepared.upto > self._reached:
            self._skip_to(prepared.upto)
        if prepared.failed and not self._abandon.is_set():
            self._make_dead_letter(*prepared.failed, 1)

    def _settle(self, lines: Sequence[Line], outcome: Outcome, attempts: int) -> None:
        match outcome:
            case LinesWritten(count):
                self._done(lines[:count], outcome)
                if count == 0 and not outcome.keep_now:
                    self._abandon.wait(NOTHING_TAKEN)
            case LineRejected(index, reason, position):
                self._done(lines[:index], LinesWritten(index, position))
                self._make_dead_letter(lines[index].event, reason, attempts)
            case Closed(count):
                self._done(lines[:count], LinesWritten(count))
                self._close()
            case NotWritten(reason) if not self._abandon.is_set():
                for line in lines:
                    self._make_dead_letter(line.event, f"given up: {reason}", attempts)
            case NotWritten(_, position) if position:  # for the worker that takes over
                self._advance([], LinesWritten(0, position))

    def _done(self, lines: Sequence[Line], outcome: LinesWritten) -> None:
        self.state.delivered += len(lines)
        self._advance(lines, outcome)
        if lines:
            self.state.last_delivery_at = time.time()
            if self._on_delivered:
                self._on_delivered(lines)

    def _advance(self, lines: Sequence[Line], outcome: LinesWritten) -> None:
        seq = lines[-1].event.seq if lines else self._place()
        self._move(seq, outcome.position)
        self._unsynced.add(len(lines), outcome.sync)
        if self._redelivery:
            delivered = [line.event.seq for line in lines]
            if self.keep():
                self._insist(lambda one: self._journal.progress(one, seq, self._cursor, delivered))
        elif outcome.keep_now or not self._unsynced or self._unsynced.due(self._journal.retention.max_size):
            self._unkept = self.keep() and outcome.keep_now

    def _move(self, seq: int, position: str) -> None:
        """Advances the cursor in memory."""
        self._cursor = Cursor(self._cursor.seq if self._redelivery else seq, position)
        self.state.seq, self._reached = self._cursor.seq, seq

    def _insist(self, write: Callable[[Redelivery], None]) -> None:
        """Writes until the journal takes it: a redelivery that is done must not be done once more."""
        if redelivery := self._redelivery:
            self._attempts.until_kept(lambda: write(redelivery))

    def _make_dead_letter(self, event: Received, reason: str, attempts: int) -> None:
        if self._unsynced and not self.keep():  # the dead letter is kept with the cursor
            return
        reason = self._attempts.gave_up(event, reason, attempts)
        cursor = Cursor(self._cursor.seq if self._redelivery else event.seq, self._cursor.position)
        self._journal.dead_letter(self.config.name, event.seq, reason, attempts, cursor)
        self._move(event.seq, cursor.position)
        self._unsynced.settled(self._cursor)
        self.state.dead_letters += 1
        if self._redelivery:
            self._insist(lambda one: self._journal.progress(one, event.seq, self._cursor))

    def _close(self) -> None:
        log.info("the sink's other end was closed", sink=self.config.name)
        self.state.closed = True
        self._journal.retention.release(self.config.name)
