"""The delivering half: one worker per sink, in a thread of its own, from its cursor to the newest event.

A worker reads a batch, has it delivered, tries again with tenacity until it is, moves its cursor, goes on. What a sink
rejects, or what was tried for `retry.give_up_after`, becomes a dead letter. Nothing a sink does harms another.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_delay, stop_never, wait_random_exponential

from listener.errors import JournalError
from listener.event import FORMATS, Received, Unparsable
from listener.journal import Cursor, Journal
from listener.logs import get_logger
from listener.sinks.base import Closed, Delivered, Line, Outcome, Rejected, Sink, SinkConfig, TryAgain

BATCH = 256  # events a delivery, so a sync
SLICE = 64  # events formatted before other threads get their turn at the interpreter
IDLE = 0.25  # seconds between looks when nothing comes
log = get_logger(__name__)
Formatted = list[bytes | Unparsable]


class Formatter:
    """Formats each event once, however many sinks want it in that form."""

    def __init__(self, share: bool) -> None:
        self._share = share
        self._known: dict[tuple[int, str], bytes | Unparsable] = {}
        self._guard = threading.Lock()

    def lines(self, events: Sequence[Received], form: str) -> Formatted:
        if not self._share:
            return [_formatted(event, form) for event in events]
        with self._guard:
            return [self._line(event, form) for event in events]

    def _line(self, event: Received, form: str) -> bytes | Unparsable:
        key = (event.seq, form)
        line = self._known.get(key)
        if line is None:
            line = self._known[key] = _formatted(event, form)
            if len(self._known) > 4 * BATCH:
                del self._known[next(iter(self._known))]
        return line


def _formatted(event: Received, form: str) -> bytes | Unparsable:
    try:
        return FORMATS[form](event)
    except Unparsable as e:
        return e


@dataclass
class SinkState:
    """What is true of a sink now. Written by its worker alone; times are Unix seconds."""

    name: str
    seq: int = 0  # delivered up to here
    delivered: int = 0
    retries: int = 0
    dead_letters: int = 0
    failing_since: float | None = None
    last_error: str | None = None
    last_delivery_at: float | None = None
    closed: bool = False


class Worker:
    """`start()`, then `stop()`: what is in the journal by then is still delivered until `abandon` is set."""

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
        on_delivered: Callable[[Received], None] = lambda event: None,
    ) -> None:
        self.config, self.sink = config, sink
        self.state = SinkState(config.name, seq=cursor.seq)
        self._journal, self._cursor, self._formatter = journal, cursor, formatter
        self._abandon, self._limit = abandon, limit
        self._on_end, self._on_delivered = on_end, on_delivered
        self._drain_to: int | None = None
        self._unkept = False  # the position must be on disk before the next delivery
        self.ended = self.died = False
        self._thread = threading.Thread(target=self._run, name=f"sink-{config.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends once everything that is journalled now is delivered."""
        self._drain_to = self._journal.last_seq
        self._journal.wake()

    def join(self, timeout: float) -> bool:
        """Whether the worker has ended within `timeout` seconds."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._try(self._open)
            while not self._finished():
                try:
                    self._turn()
                except JournalError as e:
                    self._note_failure(str(e))
                    self._abandon.wait(1.0)
            self.sink.close()
        except Exception:
            self.died = True
            log.exception("a sink's worker died", sink=self.config.name)
        finally:
            self.ended = True
            self._on_end(self)

    def _finished(self) -> bool:
        drained = self._drain_to is not None and self._cursor.seq >= self._drain_to
        full = self._limit is not None and self.state.delivered >= self._limit
        return drained or full or self._abandon.is_set() or self.state.closed

    def _turn(self) -> None:
        if self._unkept:
            self._journal.flush()
            self._unkept = False
        events = self._journal.read(self._cursor.seq, self._batch())
        if events:
            self._deliver(events)
        elif self.sink.idle() is not None:
            self._close()
        else:
            self._journal.wait(self._cursor.seq, IDLE)

    def _batch(self) -> int:
        return BATCH if self._limit is None else min(BATCH, self._limit - self.state.delivered)

    def _open(self) -> Outcome:
        outcome = self.sink.open(self._cursor.position, self._upcoming())
        if outcome.count:
            log.info("found lines of before the last stop in place", sink=self.config.name, lines=outcome.count)
        self._advance(self._nth_after_cursor(outcome.count), outcome)
        return outcome

    def _upcoming(self) -> Iterator[bytes]:
        """The lines that come next, for a sink that compares them with what it has."""
        seq = self._cursor.seq
        while events := self._journal.read(seq, SLICE):
            seq = events[-1].seq
            yield from (line for line in self._format(events) if isinstance(line, bytes))

    def _nth_after_cursor(self, count: int) -> int:
        seq = self._cursor.seq
        while count > 0 and (events := self._journal.read(seq, SLICE)):
            for event, line in zip(events, self._format(events), strict=True):
                if count == 0:
                    break
                seq, count = event.seq, count - isinstance(line, bytes)
        return seq

    def _deliver(self, events: list[Received]) -> None:
        """Up to the first event that can't be formatted, or that one alone."""
        formatted = self._format(events)
        good = next((i for i, line in enumerate(formatted) if isinstance(line, Unparsable)), len(events))
        if good == 0:
            error = formatted[0]
            self._bury(events[0], error.reason if isinstance(error, Unparsable) else "", 1)
            return
        lines = [Line(e, line) for e, line in zip(events[:good], formatted, strict=False) if isinstance(line, bytes)]
        outcome, attempts = self._try(lambda: self.sink.deliver(lines))
        self._settle(lines, outcome, attempts)

    def _format(self, events: Sequence[Received]) -> Formatted:
        lines: Formatted = []
        for start in range(0, len(events), SLICE):
            lines += self._formatter.lines(events[start : start + SLICE], self.config.format)
            time.sleep(0)  # gives the interpreter away: acks come first
        return lines

    def _settle(self, lines: Sequence[Line], outcome: Outcome, attempts: int) -> None:
        match outcome:
            case Delivered(count):
                self._done(lines[:count], outcome)
            case Rejected(index, reason, position):
                self._done(lines[:index], Delivered(index, position))
                self._bury(lines[index].event, reason, attempts)
            case Closed(count):
                self._done(lines[:count], Delivered(count))
                self._close()
            case TryAgain(reason) if not self._abandon.is_set():
                for line in lines:
                    self._bury(line.event, f"given up: {reason}", attempts)

    def _done(self, lines: Sequence[Line], outcome: Delivered) -> None:
        self._advance(lines[-1].event.seq if lines else self._cursor.seq, outcome)
        if lines:
            self.state.delivered += len(lines)
            self.state.last_delivery_at = time.time()
            for line in lines:
                self._on_delivered(line.event)

    def _advance(self, seq: int, outcome: Delivered) -> None:
        self._cursor = Cursor(seq, outcome.position)
        self.state.seq = seq
        self._journal.advance(self.config.name, self._cursor)
        self._unkept = outcome.keep_now

    def _bury(self, event: Received, reason: str, attempts: int) -> None:
        log.error(
            "dead letter: this sink will not get the event",
            sink=self.config.name,
            seq=event.seq,
            event_id=event.event_id,
            because=reason,
            attempts=attempts,
            hint="helpdesk-listen dead-letters list",
        )
        cursor = Cursor(event.seq, self._cursor.position)
        self._journal.dead_letter(self.config.name, event.seq, reason, attempts, cursor)
        self._cursor = cursor
        self.state.seq, self.state.dead_letters = event.seq, self.state.dead_letters + 1

    def _close(self) -> None:
        log.info("the sink's other end was closed", sink=self.config.name)
        self.state.closed = True

    def _try(self, step: Callable[[], Outcome]) -> tuple[Outcome, int]:
        """Until it is no TryAgain, or its time is over; (what came of it, attempts)."""
        retry = self.config.retry
        retrying = Retrying(
            retry=retry_if_result(lambda outcome: isinstance(outcome, TryAgain) and not self._abandon.is_set()),
            stop=stop_never if retry.give_up_after is None else stop_after_delay(retry.give_up_after),
            wait=wait_random_exponential(multiplier=0.1, max=retry.max_delay),
            sleep=self._sleep,
            before_sleep=lambda state: self._note_failure(_reason(state)),
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        )
        outcome: Outcome = retrying(lambda: self._guarded(step))
        if not isinstance(outcome, TryAgain):
            self._note_success()
        return outcome, int(retrying.statistics.get("attempt_number", 1))

    def _sleep(self, seconds: float) -> None:
        self._abandon.wait(seconds)

    def _guarded(self, step: Callable[[], Outcome]) -> Outcome:
        """A sink that raises, or returns nonsense, is one to try again."""
        try:
            outcome = step()
        except Exception as e:
            return TryAgain(f"{type(e).__name__}: {e}")
        if isinstance(outcome, Outcome):
            return outcome
        return TryAgain(f"the sink returned {type(outcome).__name__}, which is no outcome")

    def _note_failure(self, reason: str) -> None:
        self.state.retries += 1
        if self.state.failing_since is None or self.state.last_error != reason:
            log.warning("a sink fails; its events wait in the journal", sink=self.config.name, because=reason)
        self.state.failing_since = self.state.failing_since or time.time()
        self.state.last_error = reason

    def _note_success(self) -> None:
        if self.state.failing_since is not None:
            seconds = round(time.time() - self.state.failing_since, 1)
            log.info("the sink works again", sink=self.config.name, after_seconds=seconds)
        self.state.failing_since = self.state.last_error = None


def _reason(state: RetryCallState) -> str:
    outcome = state.outcome.result() if state.outcome else None
    return outcome.reason if isinstance(outcome, TryAgain) else ""
