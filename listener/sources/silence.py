"""Detects when a connection that has brought many events is silent for unusually long. Pure.

A silence is unusual when it is longer than a minute and than five times the longest of the last hundred pauses between
events: where events come at random at a steady rate, that happens by chance less than once in ten billion pauses. A
helpdesk that closes for the night is silent, too; so each silence is told once, and it does not count as a pause.
"""

from collections import deque

PAUSES = 100  # pauses between events, of which the longest counts
TIMES_LONGEST = 5
SHORTEST = 60.0  # seconds of silence that are never unusual


class SilenceDetector:
    """Learns the pauses between events from their count, which it is shown every few seconds."""

    def __init__(self, pauses: int = PAUSES, shortest: float = SHORTEST) -> None:
        self._pauses: deque[float] = deque(maxlen=pauses)
        self._shortest = shortest
        self._count = 0
        self._last: float | None = None  # when an event was last seen; None before the first, and without a connection
        self._told = False

    def look(self, count: int | None, now: float) -> bool:
        """Takes the present connection's number of events, None without a connection, at this time in seconds.

        Returns True once for each silence, when it has become unusual.
        """
        if count is None or count < self._count:  # another connection
            self._count, self._last, self._told = count or 0, None, False
        elif count > self._count:
            self._note_pause(now)
            self._count, self._last, self._told = count, now, False
        elif not self._told and self._is_unusual(now):
            self._told = True
            return True
        return False

    def _note_pause(self, now: float) -> None:
        if self._last is not None and not self._told:
            self._pauses.append(now - self._last)

    def _is_unusual(self, now: float) -> bool:
        if self._last is None or len(self._pauses) < (self._pauses.maxlen or 0):
            return False
        return now - self._last > max(self._shortest, TIMES_LONGEST * max(self._pauses))
