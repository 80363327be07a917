"""The bodies of requests while they come: bounded in bytes, each and all together, and in time.

Where all together are too large, the largest of those that still come makes room. An event has a few thousand bytes:
strangers who hold back the end of large bodies don't keep the platform's out.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import StreamReader, web

from listener.sources.webhook_verifier import RequestRejected

MAX_BODY = 2**20  # bytes; events have a few thousand
MAX_HELD = 64 * 2**20  # bytes of all bodies in memory; counted as they come, so that a slow peer takes no room


@dataclass(eq=False)
class _Body:
    limit: asyncio.Timeout
    data: bytearray = field(default_factory=bytearray)
    made_room: bool = False


class Bodies:
    """Reads bodies, each within `patience` seconds."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._held = 0  # bytes
        self._coming: set[_Body] = set()

    @asynccontextmanager
    async def whole(self, content: StreamReader) -> AsyncIterator[bytes]:
        """Yields a body once it is whole; it counts until the end of the block. Raises RequestRejected."""
        body = _Body(asyncio.timeout(self._patience))
        self._coming.add(body)
        try:
            await self._read(content, body)
            self._coming.discard(body)
            yield bytes(body.data)
        finally:
            self._coming.discard(body)
            self._drop(body)

    async def _read(self, content: StreamReader, body: _Body) -> None:
        try:
            async with body.limit:
                async for chunk in content.iter_any():
                    self._take(body, chunk)
        except TimeoutError:
            if not body.made_room:
                raise RequestRejected(408, "the body did not come in time") from None
        except (web.RequestPayloadError, ConnectionError):
            raise RequestRejected(400, "the body is not as its head says") from None
        if body.made_room:
            raise RequestRejected(503, "too much at once; the platform pushes again")

    def _take(self, body: _Body, chunk: bytes) -> None:
        body.data += chunk
        self._held += len(chunk)
        if len(body.data) > MAX_BODY:
            raise RequestRejected(413, f"larger than {MAX_BODY} bytes")
        while self._held > MAX_HELD and self._coming:
            self._make_room()

    def _make_room(self) -> None:
        largest = max(self._coming, key=lambda body: len(body.data))
        self._coming.discard(largest)
        self._drop(largest)
        largest.made_room = True
        largest.limit.reschedule(asyncio.get_running_loop().time())

    def _drop(self, body: _Body) -> None:
        self._held -= len(body.data)
        body.data.clear()
