"""`give_up_after` counts from an event's own first failure, and not anew for each batch of a backlog."""

import threading
from collections.abc import Callable

from listener.base.clock import now_ms
from listener.delivery.attempts import Attempts, SinkState
from listener.event import Received
from listener.sinks.base import Line, NotWritten, Outcome, Retry


def _attempts(give_up_after: float) -> Attempts:
    retry = Retry(max_delay=0.01, give_up_after=give_up_after)
    return Attempts(SinkState("s"), retry, threading.Event())


def _lines(received_ms: int) -> list[Line]:
    return [Line(Received(1, "e", "t", received_ms, b"{}"), b"{}")]


def _failing(calls: list[int]) -> Callable[[], Outcome]:
    def step() -> Outcome:
        calls.append(1)
        return NotWritten("no")

    return step


def test_a_backlog_is_given_up_together() -> None:
    attempts, calls = _attempts(0.5), list[int]()
    long_ago = now_ms() - 3_600_000
    attempts.until_done(_failing(calls), _lines(long_ago))
    first = len(calls)
    for _ in range(20):
        assert isinstance(attempts.until_done(_failing(calls), _lines(long_ago))[0], NotWritten)
    assert first > 5
    assert first + 20 == len(calls)


def test_an_event_that_came_later_has_its_own_time() -> None:
    attempts, calls = _attempts(0.5), list[int]()
    attempts.until_done(_failing(calls), _lines(now_ms() - 3_600_000))
    first = len(calls)
    attempts.until_done(_failing(calls), _lines(now_ms()))
    assert len(calls) > first + 5


def test_an_event_of_a_clock_that_was_ahead_is_given_up_in_time() -> None:
    attempts, calls, over = _attempts(0.3), list[int](), threading.Event()

    def run() -> None:
        attempts.until_done(_failing(calls), _lines(now_ms() + 60 * 86_400_000))
        over.set()

    threading.Thread(target=run, daemon=True).start()
    assert over.wait(30)
