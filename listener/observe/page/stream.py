"""Streams what is new to every open page as server-sent events: messages every 0.2 s, the state every 2 s.

One task gathers and encodes for all of them, and only while a page is open; it looks at the journal's newest seq and
has no part in receiving. A page that reads too slowly is cut off; it comes back with Last-Event-ID, the seq that it has
seen, and is sent what it missed.
"""

import asyncio
import time
from collections.abc import AsyncIterator

from listener.base.accepting import most_connections
from listener.base.errors import JournalError
from listener.base.logs import get_logger
from listener.event import Received
from listener.journal import Journal
from listener.observe import health
from listener.observe.facts import Facts
from listener.observe.page.summary import encode, summary

GATHER = 0.2  # seconds
STATE = 2.0  # seconds
LIVE = 200  # messages of one gathering; what is more is counted, and can be read from the journal
MISSED = 500  # messages that a page that comes back is sent
BEHIND = 16  # pieces that a page may be behind
log = get_logger(__name__)


class Stream:
    """Streams to all open pages. Lives in the loop; `gather` is the seconds between two looks at the journal."""

    def __init__(self, facts: Facts, gather: float = GATHER) -> None:
        self._facts, self._journal, self._every = facts, facts.journal, gather
        self._pages: set[asyncio.Queue[bytes | None]] = set()
        self._task: asyncio.Task[None] | None = None
        self._at = 0  # every page has been told of the events up to this seq
        self._gate = asyncio.Semaphore(1)
        self._newest_missed = (-1, -1), b""
        self.most = most_connections() // 2

    @property
    def is_full(self) -> bool:
        """Returns whether no more pages may follow."""
        return len(self._pages) >= self.most

    async def follow(self, after: int | None) -> AsyncIterator[bytes]:
        """Yields pieces of the stream, first those after that seq, until the daemon stops or the page is too slow."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(BEHIND)
        self._begin(queue)
        try:
            at = self._at
            yield b"retry: 1000\n\n" + await self._state()
            after = at if after is None or after > at else after
            yield await self._missed(after, at)
            while (piece := await queue.get()) is not None:
                yield piece
        finally:
            self._pages.discard(queue)

    def close(self) -> None:
        """Ends every page's stream."""
        if self._task is not None:
            self._task.cancel()
        for queue in tuple(self._pages):
            _end(queue)

    def _begin(self, queue: "asyncio.Queue[bytes | None]") -> None:
        self._pages.add(queue)
        if self._task is None or self._task.done():
            self._at = self._journal.last_seq
            self._task = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        told = time.monotonic()
        while self._pages:
            await asyncio.sleep(self._every)
            try:
                last = self._journal.last_seq
                if last > self._at:
                    piece = await self._messages(self._at, last, LIVE)
                    self._at = last
                    self._publish(piece)
                if time.monotonic() - told > STATE:
                    told = time.monotonic()
                    self._publish(await self._state())
            except JournalError as e:
                log.debug("the page can't be told what is new", because=str(e))

    async def _missed(self, after: int, last: int) -> bytes:
        """Returns what came meanwhile, made once for all pages that come back together, such as after a restart."""
        async with self._gate:
            if self._newest_missed[0] != (after, last):
                self._newest_missed = (after, last), await self._messages(after, last, MISSED)
            return self._newest_missed[1]

    def _publish(self, piece: bytes) -> None:
        for queue in tuple(self._pages):
            if queue.full():
                _end(queue)
                self._pages.discard(queue)
            else:
                queue.put_nowait(piece)

    async def _state(self) -> bytes:
        return _piece("now", health.encode(await self._facts.snapshot()))

    async def _messages(self, after: int, last: int, most: int) -> bytes:
        """Returns the newest messages after one seq up to another, as a piece whose id is the last seq."""
        first = max(after, last - most)
        body = await asyncio.to_thread(_gathered, self._journal, first, last, first - after) if last > after else b""
        return _piece("messages", body or encode({"events": [], "skipped": 0, "last": last}), last)


def _gathered(journal: Journal, after: int, last: int, skipped: int) -> bytes:
    try:
        events: list[Received] = []
        while after < last and (more := journal.read(after, last - after)):
            events += more
            after = more[-1].seq
    finally:
        journal.leave()  # this thread reads no more
    return encode({"events": [summary(one) for one in events], "skipped": skipped, "last": last})


def _piece(name: str, data: bytes, seq: int | None = None) -> bytes:
    """Returns a server-sent event; JSON on one line needs no escape in it."""
    number = b"" if seq is None else f"id: {seq}\n".encode()
    return number + f"event: {name}\ndata: ".encode() + data + b"\n\n"


def _end(queue: "asyncio.Queue[bytes | None]") -> None:
    while queue.full():
        queue.get_nowait()
    queue.put_nowait(None)
