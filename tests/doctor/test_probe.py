"""The probe of the long connection ends cleanly, whatever comes first: its own time or the connection's end."""

import asyncio
import gc
from contextlib import suppress
from typing import Any, NoReturn

from listener.base.errors import Lost
from listener.feishu import probe


class LostWhenCancelled:
    """A session that is lost in the moment in which it is given up."""

    round_trip: float | None = None

    def __init__(self) -> None:
        self.begun = asyncio.Event()

    async def listen(self) -> NoReturn:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise Lost("silent", cause="silent")


def test_a_connection_that_is_lost_while_it_is_given_up_is_no_news() -> None:
    told: list[dict[str, Any]] = []

    async def given_up() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context))
        session: Any = LostWhenCancelled()
        step = asyncio.ensure_future(probe.round_trip(session))
        await session.begun.wait()
        step.cancel()
        with suppress(asyncio.CancelledError):
            await step
        del step
        gc.collect()

    asyncio.run(given_up())
    assert [] == told
