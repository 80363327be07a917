"""Bodies that are held back fill the room for bodies: the platform is answered all the same."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from listener.sources import webhook_bodies
from tests.webhook.posts import encrypted, event, signed
from tests.webhook.server import PATH, Served, serving

ROOM = 10_000  # bytes
HELD_BACK = 4_900  # bytes: two leave no room for an event


@asynccontextmanager
async def held_back(served: Served) -> AsyncIterator[asyncio.StreamReader]:
    """A request whose body lacks its last byte; gives what is answered."""
    reader, writer = await asyncio.open_connection(*served.address)
    head = f"POST {PATH} HTTP/1.1\r\nHost: a\r\nContent-Length: {HELD_BACK + 1}\r\n\r\n".encode()
    writer.write(head + b"x" * HELD_BACK)
    try:
        yield reader
    finally:
        writer.close()


def test_bodies_that_are_held_back_make_room_for_the_platforms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_bodies, "MAX_HELD", ROOM)

    async def main() -> None:
        async with serving(tmp_path) as served, AsyncExitStack() as strangers:
            three = [await strangers.enter_async_context(held_back(served)) for _ in range(3)]
            answers = [asyncio.ensure_future(reader.readline()) for reader in three]
            full, others = await asyncio.wait(answers, timeout=5, return_when=asyncio.FIRST_COMPLETED)
            assert [b"HTTP/1.1 503 Service Unavailable\r\n"] == [one.result() for one in full]
            for number in range(3):  # the next one finds what a body that was whole had taken free again
                assert 200 == (await served.post(signed(encrypted(event(number)))))[0]
            full, last = await asyncio.wait(others, timeout=5, return_when=asyncio.FIRST_COMPLETED)
            assert [b"HTTP/1.1 503 Service Unavailable\r\n"] == [one.result() for one in full]
            assert 1 == len(last)  # no more than had to
            for one in last:
                one.cancel()

    asyncio.run(main())
