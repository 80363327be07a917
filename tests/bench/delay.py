"""From the push of an event to its line in the listener's file."""

import asyncio
import re
import time
from contextlib import suppress
from pathlib import Path

from tests.bench.clients import Client
from tests.bench.payloads import new_id, payload

LOOK = 0.0005  # seconds between looks at the file: the resolution
_EVENT_ID = re.compile(rb'^\{"event_id":"([0-9a-f]{32})"', re.MULTILINE)


class Follower:
    """`push` is the flood's factory; `delays` are in seconds, in the order of the lines."""

    def __init__(self, path: Path) -> None:
        self.delays: list[float] = []
        self._pushed: dict[bytes, float] = {}
        self._path, self._offset = path, path.stat().st_size

    def push(self, _index: int) -> bytes:
        event_id = new_id()
        self._pushed[event_id.encode()] = time.monotonic()
        return payload(event_id)

    async def follow(self) -> None:
        """Until it is cancelled."""
        while True:
            self.look()
            await asyncio.sleep(LOOK)

    def look(self) -> None:
        """Notes the whole lines that are new."""
        with self._path.open("rb") as file:
            file.seek(self._offset)
            whole = file.read().rpartition(b"\n")[0]
        self._offset += len(whole) + 1 if whole else 0
        now = time.monotonic()
        self.delays += [now - self._pushed[event_id] for event_id in _EVENT_ID.findall(whole)]


async def delays(client: Client, count: int, unacked: int) -> list[float]:
    """Of `count` events, in seconds."""
    follower = Follower(client.files[0])
    following = asyncio.create_task(follower.follow())
    await client.flood(count, unacked, follower.push)
    following.cancel()
    with suppress(asyncio.CancelledError):
        await following
    follower.look()
    assert count == len(follower.delays)
    return follower.delays
