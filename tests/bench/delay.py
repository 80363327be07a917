"""From the push of an event to its line in the listener's file."""

import asyncio
import os
import re
import threading
import time
from pathlib import Path

from tests.bench.clients import Client
from tests.bench.payloads import new_id, payload

LOOK = 0.0001  # seconds between looks at the file: the resolution
_EVENT_ID = re.compile(rb'^\{"event_id":"([0-9a-f]{32})"', re.MULTILINE)


class Follower:
    """`push` is the flood's factory; `delays` are in seconds, in the order of the lines."""

    def __init__(self, path: Path) -> None:
        self.delays: list[float] = []
        self._pushed: dict[bytes, float] = {}
        self._offset, self._rest = path.stat().st_size, b""
        self._fd = os.open(path, os.O_RDONLY)
        self._over = threading.Event()

    def push(self, _index: int) -> bytes:
        event_id = new_id()
        self._pushed[event_id.encode()] = time.monotonic()
        return payload(event_id)

    def follow(self) -> None:
        """In a thread, since the loop's timers are good for a millisecond only; until `stop`."""
        while not self._over.is_set():
            self.look()
            time.sleep(LOOK)

    def stop(self) -> None:
        """Ends `follow`."""
        self._over.set()

    def look(self) -> None:
        """Notes the whole lines that are new."""
        if os.fstat(self._fd).st_size <= self._offset:
            return
        now, came = time.monotonic(), os.pread(self._fd, 1 << 24, self._offset)
        self._offset += len(came)
        whole, _, self._rest = (self._rest + came).rpartition(b"\n")
        self.delays += [now - self._pushed[event_id] for event_id in _EVENT_ID.findall(whole)]


async def delays(client: Client, count: int, unacked: int) -> list[float]:
    """Of `count` events, in seconds."""
    follower = Follower(client.files[0])
    following = threading.Thread(target=follower.follow)
    following.start()
    try:
        await client.flood(count, unacked, follower.push)
    finally:
        follower.stop()
        await asyncio.to_thread(following.join)
    follower.look()
    assert count == len(follower.delays)
    return follower.delays
