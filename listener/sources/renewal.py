"""Replaces an open connection with a fresh one from time to time.

A connection can answer pings for hours while the platform no longer sends events through it. The new connection is
opened and proven first: the platform must answer its ping. Then the old one is closed, once the answers to its events
are out. If the new one can't be opened, the old one stays. At most two exist at once.
"""

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, NoReturn, Protocol, TypeVar

from listener.base.errors import ListenError, TooManyConnections
from listener.base.logs import RateLimit, get_logger

JITTER = 0.1  # a part of the period, so that daemons that started together do not renew together
FIRST_RETRY, SLOWEST_RETRY = 5.0, 300.0  # seconds between attempts to open the new connection
DRAIN = 5.0  # seconds for the answers of the old connection; the platform waits 3 s for each
QUIET = 0.5  # seconds without an event, after which the old connection need not wait for a better moment
BURST = 0.001  # seconds; events that come closer together belong to one burst
COUNTED_FOR = 3.0  # seconds that the platform may go on counting a connection that was closed
log = get_logger(__name__)


class Renewable(Protocol):
    """One connection, as a renewal sees it."""

    @property
    def connection_id(self) -> str: ...
    @property
    def unanswered(self) -> int: ...
    async def open(self) -> None: ...
    async def listen(self) -> NoReturn: ...
    async def proven(self) -> None: ...
    async def next_event(self, within: float) -> None: ...
    async def close(self) -> None: ...


S = TypeVar("S", bound=Renewable)


class Renewal(Generic[S]):
    """Holds a connection and renews it every `every` seconds; None means never. Use it in one running loop."""

    def __init__(self, new_session: Callable[[], S], every: float | None = None) -> None:
        self._new_session, self._every = new_session, every
        self._changed = asyncio.Event()
        self._is_due = False  # asked for, ahead of its time
        self._two_until = 0.0  # monotonic; infinite while there are two connections
        self._limit = RateLimit(1, 60.0)

    @property
    def every(self) -> float | None:
        """Returns the seconds from one renewal to the next; a new value counts from the moment when it is set."""
        return self._every

    @every.setter
    def every(self, seconds: float | None) -> None:
        if seconds != self._every:
            self._every = seconds
            self._changed.set()

    def hasten(self) -> None:
        """Renews the connection now, unless it is never to be renewed."""
        if self._every is not None:
            self._is_due = True
            self._changed.set()

    @property
    def two_at_once(self) -> bool:
        """Returns whether the platform may count two connections of this process."""
        return time.monotonic() < self._two_until

    async def hold(self, first: S, switched: Callable[[S], None]) -> NoReturn:
        """Listens on `first`, then on each successor, until the newest is lost. Raises why; closes the successors."""
        current = first
        listening: asyncio.Future[NoReturn] = asyncio.ensure_future(first.listen())
        try:
            while True:
                await self._until_due(listening)
                successor, its_listening = await self._successor(listening)
                old, old_listening = current, listening
                current, listening = successor, its_listening
                switched(successor)
                await self._retire(old, old_listening, successor)
        finally:
            await _ended(listening)
            if current is not first:
                await current.close()

    async def _until_due(self, listening: "asyncio.Future[NoReturn]") -> None:
        """Waits until it is time to renew. Raises what ended the connection before."""
        while True:
            self._changed.clear()
            pause = None if self._every is None else self._every * random.uniform(1 - JITTER, 1)
            changed = asyncio.ensure_future(self._changed.wait())
            try:
                done = await _first_of(listening, changed, within=pause)
            finally:
                changed.cancel()
            if self._is_due or changed not in done:
                self._is_due = False
                return

    async def _successor(self, listening: "asyncio.Future[NoReturn]") -> "tuple[S, asyncio.Future[NoReturn]]":
        """Tries until a new connection is proven, and returns it. Raises what ended the old one, if that is first."""
        attempts = 0
        while True:
            opening = asyncio.ensure_future(self._opened())
            try:
                either: set[asyncio.Future[Any]] = {listening, opening}
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                if opening.done():  # the old one may have ended in the same moment: the new one is there
                    return opening.result()
                listening.result()
            except ListenError as e:
                if listening.done():
                    raise
                attempts += 1
                await _first_of(listening, within=self._told(e, attempts))
            finally:
                await _ended(opening)

    async def _opened(self) -> "tuple[S, asyncio.Future[NoReturn]]":
        """Opens a connection and returns it once the platform has answered its first ping."""
        session = self._new_session()
        listening: asyncio.Future[NoReturn] | None = None
        self._two_until = float("inf")
        try:
            await session.open()
            listening = asyncio.ensure_future(session.listen())
            proven = asyncio.ensure_future(session.proven())
            try:
                await _first_of(listening, proven)
            finally:
                proven.cancel()
        except BaseException:
            if listening is not None:
                listening.cancel()
            await self._close(session)
            raise
        return session, listening

    def _told(self, error: ListenError, attempts: int) -> float:
        """Logs why there is no new connection; returns the seconds until the next attempt."""
        every = self._every or SLOWEST_RETRY
        bound = min(every, SLOWEST_RETRY, FIRST_RETRY * 2 ** min(attempts - 1, 10))
        seconds = every if isinstance(error, TooManyConnections) else random.uniform(bound / 2, bound)
        if self._limit.take() is not None:
            said = "the connection could not be renewed; the present one stays"
            log.warning(said, because=str(error), next_attempt_in=f"{seconds:.0f} s", hint=error.hint)
        return seconds

    async def _retire(self, old: S, listening: "asyncio.Future[NoReturn]", successor: S) -> None:
        """Closes the old connection when all its events are answered, or after DRAIN seconds.

        Just after an event has come by the new connection is the moment at which another one is least likely to be
        on its way through the old one; that one would be pushed again.
        """
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(DRAIN):
                    await successor.next_event(QUIET)
                    while not await self._calm(old) and not listening.done():
                        await successor.next_event(QUIET)
        finally:
            await _ended(listening)
            await self._close(old)

    async def _calm(self, old: S) -> bool:
        """Returns whether no event waits for its answer, nor comes in the next moment, as one of a burst would."""
        if old.unanswered:
            return False
        await old.next_event(BURST)
        return not old.unanswered

    async def _close(self, session: S) -> None:
        try:
            await session.close()
        finally:
            self._two_until = time.monotonic() + COUNTED_FOR


async def _first_of(
    listening: "asyncio.Future[NoReturn]", *others: "asyncio.Future[Any]", within: float | None = None
) -> "set[asyncio.Future[Any]]":
    """Waits for any of them, or for `within` seconds. Raises the end of the connection if one has ended."""
    done, _ = await asyncio.wait({listening, *others}, timeout=within, return_when=asyncio.FIRST_COMPLETED)
    if listening in done:
        listening.result()
    return done


async def _ended(task: "asyncio.Future[Any]") -> None:
    """Cancels a task and waits for its end; how it ends does not matter any more."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()
