"""Counts now and then how many clients of the app are online: one too many takes events away, and all looks well."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from listener.base.errors import ConfigError, ListenError
from listener.base.logs import get_logger

FIRST, EVERY = 10.0, 12 * 3600.0  # seconds until the first question, and to the next one: each is a call of the quota
AGAIN = 4.0  # seconds to the next question when the answer may count a connection that is being replaced
# Seconds after which too many are counted once more before anybody is told: the platform goes on counting a connection
# whose machine lost its power or its network until its own pings fail, and ours is back by then.
SURE = 300.0
log = get_logger(__name__)


@dataclass
class ClientsState:
    """What is known of the app's clients: how many were `online` at Unix seconds `checked_at`, None if unknown."""

    expected: int = 1
    online: int | None = None
    checked_at: float | None = None
    error: str | None = None  # why the newest question got no answer

    @property
    def too_many(self) -> bool:
        """Returns whether other clients take events."""
        return self.online is not None and self.online > self.expected


@asynccontextmanager
async def watching(
    state: ClientsState,
    ask: Callable[[], int] | None,
    renewing: Callable[[], bool] = lambda: False,
    every: float | None = None,
    again: float = AGAIN,
) -> AsyncIterator[None]:
    """Asks every so many seconds while its block runs. `ask` blocks, in the loop's default executor, or is None.

    While `renewing` returns True, the platform counts two connections of this process; such an answer is not used, and
    the question is asked once more after `again` seconds.
    """
    if ask is None:
        yield
        return
    task = asyncio.ensure_future(watch(state, ask, renewing, every or EVERY, again))
    try:
        yield
    finally:
        task.cancel()


async def watch(
    state: ClientsState, ask: Callable[[], int], renewing: Callable[[], bool], every: float, again: float = AGAIN
) -> None:
    """Asks as `watching` says, until the platform refuses to answer: each more would cost a call for nothing."""
    await asyncio.sleep(FIRST)
    doubted = False  # whether the last answer was the first with too many, which another one must confirm
    while True:
        try:
            online = await asyncio.get_running_loop().run_in_executor(None, ask)
            if online > state.expected and renewing():
                await asyncio.sleep(again)
                continue
            if online > state.expected and not (state.too_many or doubted):
                doubted = True
                await asyncio.sleep(min(every, SURE))
                continue
            state.online, doubted = online, False
            state.checked_at, state.error = time.time(), None
            _tell(state)
        except ConfigError as e:
            _failed(state, e)
            return
        except ListenError as e:
            _failed(state, e)
        await asyncio.sleep(every)


def _failed(state: ClientsState, error: ListenError) -> None:
    """Notes why the question failed, and logs it once, since the app may lack the permission for good."""
    if state.error is None:
        log.info("how many clients are online can't be asked", because=str(error), hint=error.hint)
    state.error = str(error)


def _tell(state: ClientsState) -> None:
    if state.too_many:
        log.warning(
            "other clients of this app are online: each event goes to one of them at random",
            online=state.online,
            expected=state.expected,
            hint="stop the others, or raise feishu.expected_clients if they are meant to be there",
        )
