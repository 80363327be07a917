"""Decides how often a chat service is posted to: below its limits, and not in the rush of a full or half hour."""

import time
from collections import deque

MINUTE = 60.0
RUSH = 10.0  # seconds after each full and half hour, in which Feishu asks not to send


def rush(now: float) -> float:
    """Returns the seconds until the rush of a full or half hour is over, at Unix time `now`; 0 outside of it."""
    return max(0.0, RUSH - now % 1800)


class PostingRate:
    """Limits posts: so many in a minute, and so many seconds apart."""

    def __init__(self, per_minute: int, spacing: float, *, avoids_rush: bool = False) -> None:
        self._per_minute, self._spacing, self._avoids_rush = per_minute, spacing, avoids_rush
        half = per_minute // 2  # another run may have just used its share
        self._posts = deque([time.monotonic()] * half, maxlen=per_minute)
        self._last = 0.0

    def wait(self) -> float:
        """Returns the seconds until the next post may go; 0 if it may go now."""
        now = time.monotonic()
        due = self._last + self._spacing
        if len(self._posts) == self._per_minute:
            due = max(due, self._posts[0] + MINUTE)
        return max(0.0, due - now, rush(time.time()) if self._avoids_rush else 0.0)

    def count(self) -> None:
        """Notes a post that goes out now."""
        self._last = time.monotonic()
        self._posts.append(self._last)
