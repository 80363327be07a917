"""Tracks what a sink has delivered that a power loss may still take: when to sync it, what to repeat if that fails."""

import time
from collections.abc import Callable

from listener.journal import Cursor

MOST, WITHIN = 4096, 1.0  # events and seconds until a sync; more of them cost a busy sink as much as all its writing
PART = 16  # of `journal.max_size`: payloads of more than that 16th don't wait, since until the sync they can't leave
QUIET = 0.1  # seconds without an event after which a sync comes earlier


class Unsynced:
    """Holds what is delivered and not synced; it is true while there is something.

    `cursor` is the last one whose lines are synced, `events` counts those delivered after it. `size` counts the bytes
    of all payloads that were read after it, including those that are not for this sink.
    """

    def __init__(self, cursor: Cursor) -> None:
        self.cursor, self.events, self.size = cursor, 0, 0
        self._sync: Callable[[], str] | None = None
        self._due_at = 0.0  # time.monotonic()

    def __bool__(self) -> bool:
        return self._sync is not None

    def add(self, events: int, sync: Callable[[], str] | None) -> None:
        """Adds delivered events, and the call that syncs them, if one is needed."""
        self.events += events
        if sync and not self._sync:
            self._sync, self._due_at = sync, time.monotonic() + WITHIN

    def due(self, max_size: int) -> bool:
        """Returns whether the sync may wait no longer for more lines, in a journal of that `max_size`."""
        much = self.events >= MOST or self.size > max_size // PART
        return self._sync is not None and (much or time.monotonic() >= self._due_at)

    def sync(self) -> str:
        """Syncs what was delivered; returns "", or why that failed."""
        sync, self._sync = self._sync, None
        try:
            return sync() if sync else ""
        except Exception as e:
            return f"{type(e).__name__}: {e}"

    def settled(self, cursor: Cursor) -> None:
        """Starts anew from this cursor: all up to it is synced, or is to be delivered again."""
        self.cursor, self.events, self.size = cursor, 0, 0
