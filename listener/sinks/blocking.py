"""An asynchronous sink under the contract of the blocking ones: one batch at a time, in an event loop of its own."""

import asyncio
import time
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from listener.sinks.base import Closed, Delivered, Line, Outcome, Rejected, Stopping, TryAgain
from listener.sinks.results import Delivered as Taken
from listener.sinks.results import Result
from listener.sinks.results import TryAgain as Later

T = TypeVar("T")
LOOK = 0.1  # seconds between looks at `stopping`
CLOSING = 2.0  # seconds
PAUSED = 60.0  # seconds between probes of an end that wants somebody to change a setting


class AsyncSink(Protocol):
    """Runs in an event loop of its own thread. What it raises counts as TryAgain for the whole batch."""

    async def open(self) -> None: ...

    async def deliver(self, batch: Sequence[Line]) -> list[Result]: ...

    async def close(self) -> None: ...


class Blocking:
    """`deliver` returns early with TryAgain once `stopping` is set."""

    def __init__(self, sink: AsyncSink, stopping: Stopping) -> None:
        self._sink, self._stopping = sink, stopping
        self._loop: asyncio.AbstractEventLoop | None = None
        self._not_before = 0.0  # time.monotonic()
        self._reopen = False

    def open(self, position: str, upcoming: Iterator[bytes]) -> Delivered:
        """It has no place of its own: what was under way at a crash is sent again."""
        self._loop = self._loop or asyncio.new_event_loop()
        self._loop.run_until_complete(self._sink.open())
        return Delivered(0)

    def deliver(self, lines: Sequence[Line]) -> Outcome:
        if self._stopping.wait(max(0.0, self._not_before - time.monotonic())):
            return TryAgain("the sink stops")
        if self._reopen:
            self._reopen = False
            self._run(self._sink.close())
            self._run(self._sink.open())
        results = self._run(self._sink.deliver(lines))
        if results is None:
            return TryAgain("the sink stops")
        taken = next((n for n, result in enumerate(results) if not isinstance(result, Taken)), len(results))
        if taken == len(results):
            return Delivered(taken)
        if isinstance(result := results[taken], Later):
            self._not_before = time.monotonic() + (PAUSED if result.paused else result.after or 0.0)
            return Delivered(taken) if taken else TryAgain(result.reason)
        assert not isinstance(result, Taken)  # noqa: S101 for the reader of types
        return Rejected(taken, result.reason)

    def idle(self) -> Closed | None:
        """Lets the loop see what has come meanwhile, such as the end of a connection or a process."""
        self._run(asyncio.sleep(0))
        return None

    def reopen(self) -> None:
        self._reopen = True

    def close(self) -> None:
        if self._loop is None:
            return
        try:
            self._loop.run_until_complete(asyncio.wait_for(self._sink.close(), CLOSING))
        finally:
            self._loop.close()
            self._loop = None

    def _run(self, step: Coroutine[Any, Any, T]) -> T | None:
        """What comes of it; None if the sink stops meanwhile."""
        if self._loop is None:
            step.close()
            return None
        return self._loop.run_until_complete(self._unless_stopping(step))

    async def _unless_stopping(self, step: Coroutine[Any, Any, T]) -> T | None:
        task = asyncio.ensure_future(step)
        while not (await asyncio.wait({task}, timeout=LOOK))[0]:
            if self._stopping.is_set():
                task.cancel()
                await asyncio.wait({task}, timeout=CLOSING)
                return None
        return task.result()
