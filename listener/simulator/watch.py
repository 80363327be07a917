"""Lets coroutines wait for a condition over something's state, inside one event loop."""

import asyncio
from collections.abc import Callable

TIMEOUT = 30.0  # s


class Watch:
    """Lets coroutines wait until a condition over some state holds.

    Whoever changes the state calls `changed()`; those who wait for it call `until()`.
    """

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    def changed(self) -> None:
        """Has every waiter look again."""
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def until(self, predicate: Callable[[], object], what: str, within: float = TIMEOUT) -> None:
        """Returns once the predicate holds.

        Raises:
            TimeoutError: not within `within` seconds; the message says what was waited for.
        """
        try:
            async with asyncio.timeout(within):
                while not predicate():
                    future = asyncio.get_running_loop().create_future()
                    self._waiting.append(future)
                    await future
        except TimeoutError:
            raise TimeoutError(f"after {within:g} s still not: {what}") from None
