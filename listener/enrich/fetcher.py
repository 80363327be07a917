"""Asks the API for what events want, in a few threads: one request for many events, and a pause while it is down.

What is asked for is a key, such as a ticket's id; every event that wants the same within `cache` seconds shares the
answer. Three failures in a row, or a refusal, make it pause: meanwhile events go on without, at once.
"""

import queue
import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from listener.base.errors import ConfigError, ListenError
from listener.base.logs import get_logger
from listener.feishu.answers import Gone
from listener.feishu.meter import CallsHalted

FAILURES, PAUSE, LONG_PAUSE = 3, 30.0, 600.0  # seconds of a pause: after failures, after a refusal
REMEMBERED = 2000  # answers
T = TypeVar("T")
log = get_logger(__name__)


@dataclass(frozen=True)
class Fetched(Generic[T]):
    """An answer of the API, or the reason why there is none."""

    value: T | None = None
    error: str = ""


@dataclass
class _Entry(Generic[T]):
    answer: "Future[Fetched[T]]" = field(default_factory=Future)
    started: float = field(default_factory=time.monotonic)


class Fetcher(Generic[T]):
    """Asks the API for the details of many keys at a time, and caches the answers for `cache` seconds.

    `ask(key)` blocks and raises ListenError; it runs in one of `threads` threads. `get` is called by one thread only.
    """

    def __init__(
        self, name: str, ask: Callable[..., T], *, cache: float, threads: int, done: Callable[[], None]
    ) -> None:
        self._name, self._ask, self._cache, self._done = name, ask, cache, done
        self._entries: dict[Hashable, _Entry[T]] = {}
        self._queue: queue.SimpleQueue[tuple[tuple[Hashable, ...], _Entry[T]]] = queue.SimpleQueue()
        self._failures, self._paused_until, self._because = 0, 0.0, ""
        self._fresh_from = 0.0  # answers to what was asked before are not used any more
        self._told = False
        for number in range(threads):
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True).start()

    def get(self, *key: Hashable) -> "Future[Fetched[T]]":
        """Returns the answer for this key as a future; asks for it unless it is known or under way."""
        entry = self._entries.get(key)
        now = time.monotonic()
        if entry is not None and entry.started < self._fresh_from:
            entry = None
        if entry is not None and (not entry.answer.done() or now - entry.started < self._cache):
            return entry.answer
        entry = _Entry()
        if now < self._paused_until:
            entry.answer.set_result(Fetched(error=self._because))
            return entry.answer
        self._remember(key, entry)
        self._queue.put((key, entry))
        return entry.answer

    def resume(self) -> None:
        """Ends a pause, and has everything asked for anew: credentials may have changed. Any thread may call it."""
        self._fresh_from = time.monotonic()
        self._failures, self._paused_until, self._told = 0, 0.0, False

    def _remember(self, key: tuple[Hashable, ...], entry: _Entry[T]) -> None:
        self._entries.pop(key, None)
        self._entries[key] = entry
        while len(self._entries) > REMEMBERED and next(iter(self._entries.values())).answer.done():
            del self._entries[next(iter(self._entries))]

    def _run(self) -> None:
        while True:
            key, entry = self._queue.get()
            entry.started = time.monotonic()
            paused = time.monotonic() < self._paused_until
            entry.answer.set_result(Fetched(error=self._because) if paused else self._answer(key, entry.started))
            self._done()

    def _answer(self, key: tuple[Hashable, ...], began: float) -> Fetched[T]:
        try:
            value = self._ask(*key)
        except Gone as e:
            return Fetched(error=str(e))
        except (ConfigError, CallsHalted) as e:
            return self._failed(e, LONG_PAUSE, began)
        except ListenError as e:
            self._failures += 1
            return self._failed(e, PAUSE if self._failures >= FAILURES else 0.0, began)
        except Exception as e:
            log.exception("fetching failed in a way that it should not", what=self._name)
            return Fetched(error=type(e).__name__)
        self._failures, self._told = 0, False
        return Fetched(value)

    def _failed(self, error: ListenError, pause: float, began: float) -> Fetched[T]:
        self._because = str(error)[:300]
        if pause and began >= self._fresh_from:
            self._paused_until = time.monotonic() + pause
            if not self._told:
                self._told = True
                what = "events go on without what was to be fetched for them"
                log.error(what, what=self._name, because=str(error), hint=error.hint)
        return Fetched(error=self._because)
