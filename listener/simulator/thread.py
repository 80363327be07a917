"""Runs the stand-in in a thread and an event loop of its own, for callers that are not asynchronous."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from inspect import isawaitable
from typing import Any, Self, TypeVar, overload

from listener.simulator.server import Platform

_T = TypeVar("_T")
WAIT = 60.0  # s


class PlatformThread:
    """A context manager: serves on entering, leaves neither thread nor socket behind.

    with PlatformThread(scale=0.01) as stand_in:
        stand_in.call(stand_in.platform.connected)               # coroutine functions are awaited
        delivery = stand_in.call(stand_in.platform.push, {...})  # plain ones run in the platform's loop
        stand_in.call(delivery.acked)
    """

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0, **settings: Any) -> None:
        self.platform = Platform(**settings)
        self._address = host, port

    @property
    def url(self) -> str:
        """Returns what FEISHU_DOMAIN is set to."""
        return self.platform.url

    @overload
    def call(
        self, function: Callable[..., Coroutine[Any, Any, _T]], *args: Any, wait: float = WAIT, **kwargs: Any
    ) -> _T: ...
    @overload
    def call(self, function: Callable[..., _T], *args: Any, wait: float = WAIT, **kwargs: Any) -> _T: ...
    def call(self, function: Callable[..., Any], *args: Any, wait: float = WAIT, **kwargs: Any) -> Any:
        """Runs the function in the platform's loop, awaiting what it returns, for at most `wait` seconds."""

        async def run() -> Any:
            result = function(*args, **kwargs)
            return await result if isawaitable(result) else result

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(wait)

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="platform", daemon=True)
        self._thread.start()
        try:
            self.call(self.platform.start, *self._address)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.call(self.platform.close)
        finally:
            self._stop()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
