"""Tries a sink until it takes what it is given, by tenacity, and keeps the figures that the operator sees of it."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_result, stop_never, wait_random_exponential

from listener.base.clock import now_ms
from listener.base.errors import JournalError
from listener.base.logs import get_logger
from listener.base.text import encodable, printable
from listener.event import Received, ticket_of
from listener.journal import Journal
from listener.sinks.base import Closed, Line, LineRejected, LinesWritten, NotWritten, Outcome, Retry

FIRST_DELAY = 0.1  # seconds, doubled each time; each wait is a random part of it
JOURNAL_PAUSE = 1.0  # seconds between attempts to write what the journal did not take
T = TypeVar("T")
Stop = Callable[[RetryCallState], bool]
log = get_logger(__name__)


@dataclass
class SinkState:
    """Holds what is true of a sink now. Its worker alone writes it; times are Unix seconds."""

    name: str
    seq: int = 0  # delivered up to here
    delivered: int = 0
    retries: int = 0
    dead_letters: int = 0
    filtered: int = 0  # passed over, as the settings want
    failing_since: float | None = None
    last_error: str | None = None
    last_delivery_at: float | None = None
    closed: bool = False
    waiting: int = 0  # events in the retry queue: failed ones, and those behind them
    paused: str | None = None  # why, where somebody must change a setting


class Attempts:
    """Tries a local sink again until it takes its lines or time is up, and keeps count in the sink's state.

    Its waits end at once when `abandon` is set.
    """

    def __init__(self, state: SinkState, retry: Retry, abandon: threading.Event) -> None:
        self._state, self._retry, self._abandon = state, retry, abandon
        self._failing_from: float | None = None  # monotonic

    def until_done(self, step: Callable[[], Outcome], lines: Sequence[Line]) -> tuple[Outcome, int]:
        """Returns (the outcome of `step` on these lines, attempts); NotWritten where it was given up or abandoned.

        Time counts from when the sink began to fail or, where that is later, from the receipt of the newest line: a
        backlog behind a sink that is gone for good is given up together, not one batch after the other.
        """
        give_up = self._retry.give_up_after
        if give_up is None:
            return self._run(step, len(lines), stop_never)
        newest_ms = max(line.event.received_ms for line in lines)
        begun = time.monotonic()
        return self._run(step, len(lines), lambda _: self._waited(newest_ms, begun) >= give_up)

    def until_open(self, step: Callable[[], Outcome]) -> Outcome:
        """Tries `step` without an end and returns its outcome: a sink that can't be opened has nothing to give up."""
        return self._run(step, None, stop_never)[0]

    def until_kept(self, write: Callable[[], None]) -> None:
        """Writes to the journal until it takes it. Raises JournalError once this is abandoned."""
        while True:
            try:
                return write()
            except JournalError as e:
                self.failed(str(e))
                if self._abandon.wait(JOURNAL_PAUSE):
                    raise

    def in_passing(self, call: Callable[[], T]) -> T | None:
        """Returns what a call gives that is not worth a second attempt, None if it fails."""
        try:
            return call()
        except Exception as e:
            log.warning("a sink failed in passing", sink=self._state.name, because=f"{type(e).__name__}: {e}")
            return None

    def _waited(self, newest_ms: int, begun: float) -> float:
        """Returns the seconds for which lines have failed.

        It is the smaller of two counts: by the monotonic clock no sink gives up early where the wall clock jumps, and
        by the wall clock none gives up late where that was ahead.
        """
        failing = 0.0 if self._failing_from is None else time.monotonic() - self._failing_from
        return min(failing, max((now_ms() - newest_ms) / 1000, time.monotonic() - begun))

    def failed(self, reason: str) -> None:
        """Notes an attempt that failed; the reason may hold words of the sink's other end."""
        reason = printable(reason)
        self._state.retries += 1
        self._failing_from = self._failing_from if self._failing_from is not None else time.monotonic()
        if self._state.failing_since is None or self._state.last_error != reason:
            log.warning("a sink fails; its events wait in the journal", sink=self._state.name, because=reason)
        self._state.failing_since = self._state.failing_since or time.time()
        self._state.last_error = reason

    def succeeded(self) -> None:
        if self._state.failing_since is not None:
            seconds = round(time.time() - self._state.failing_since, 1)
            log.info("the sink works again", sink=self._state.name, after_seconds=seconds)
        self._state.failing_since = self._state.last_error = self._failing_from = None

    def gave_up(self, event: Received, reason: str, attempts: int) -> str:
        """Logs an event that becomes a dead letter; returns the reason as the journal can keep it."""
        reason = encodable(reason)
        log_dead_letter(self._state.name, event, ticket_of(event.payload), reason, attempts)
        return reason

    def _run(self, step: Callable[[], Outcome], lines: int | None, stop: Stop) -> tuple[Outcome, int]:
        """Tries once without tenacity, which takes 15 µs that an event which is taken at once need not cost."""
        first = _guarded(step, lines)
        if not isinstance(first, NotWritten):
            self.succeeded()
            return first, 1
        if self._failing_from is None:
            self._failing_from = time.monotonic()
        return self._try_again(chain([first], iter(lambda: _guarded(step, lines), None)), stop)

    def _try_again(self, outcomes: Iterator[Outcome], stop: Stop) -> tuple[Outcome, int]:
        retrying = Retrying(
            retry=retry_if_result(lambda outcome: isinstance(outcome, NotWritten) and not self._abandon.is_set()),
            stop=stop,
            wait=wait_random_exponential(multiplier=FIRST_DELAY, max=self._retry.max_delay),
            sleep=self._sleep,
            before_sleep=lambda call: self.failed(_reason(call)),
            retry_error_callback=lambda call: call.outcome.result() if call.outcome else None,
        )
        outcome: Outcome = retrying(lambda: next(outcomes))
        if not isinstance(outcome, NotWritten):
            self.succeeded()
        return outcome, int(retrying.statistics.get("attempt_number", 1))

    def _sleep(self, seconds: float) -> None:
        self._abandon.wait(seconds)


def log_dead_letter(sink: str, event: Received, ticket: str | None, reason: str, attempts: int) -> None:
    """Logs that the sink will not get the event, unless somebody decides to retry the dead letter."""
    log.error(
        "dead letter: this sink will not get the event",
        sink=sink,
        seq=event.seq,
        event_id=event.event_id,
        ticket_id=ticket,
        because=reason,
        attempts=attempts,
        hint="helpdesk-listen dead-letters list",
    )


def while_kept(journal: Journal, erasures: int, step: Callable[[], Outcome], position: str) -> Callable[[], Outcome]:
    """Returns `step` as one that delivers nothing once events were erased, so that they are read again without these.

    `erasures` is what the journal counted before the step's events were read.
    """
    return lambda: step() if journal.erasures == erasures else LinesWritten(0, position)


def _guarded(step: Callable[[], Outcome], lines: int | None) -> Outcome:
    """Returns the outcome of `step`; a sink that raises, or returns nonsense, counts as NotWritten."""
    try:
        outcome = step()
    except Exception as e:
        return NotWritten(f"{type(e).__name__}: {e}")
    if makes_sense(outcome, lines):
        return outcome
    what = repr(outcome) if isinstance(outcome, Outcome) else type(outcome).__name__
    return NotWritten(f"the sink returned nonsense: {what}")


def makes_sense(outcome: object, lines: int | None) -> bool:
    """Returns whether a sink may report this of that many lines; None stands for any number."""
    match outcome:
        case LinesWritten(int(count), str()) | Closed(int(count)):
            return count >= 0 and (lines is None or count <= lines)
        case LineRejected(int(index), str(), str()):
            return lines is not None and 0 <= index < lines
        case NotWritten(str(), str()):
            return True
    return False


def _reason(call: RetryCallState) -> str:
    outcome = call.outcome.result() if call.outcome else None
    return outcome.reason if isinstance(outcome, NotWritten) else ""
