"""Remembers which sink got which event when, in this run and bounded: the journal knows only how far each sink is."""

import time
from collections import deque
from collections.abc import Sequence

from listener.sinks.base import Line

RUNS = 2000  # of consecutive events, remembered for each sink


class Deliveries:
    """Remembers when each sink got which event, by runs of consecutive events.

    `note` is called in the sinks' own threads, `at_ms` in any.
    """

    def __init__(self) -> None:
        self._runs: dict[str, deque[tuple[int, int, int]]] = {}  # (first seq, last seq, Unix ms)

    def note(self, sink: str, lines: Sequence[Line]) -> None:
        """Remembers that the sink has these lines now."""
        now = int(time.time() * 1000)
        runs = self._runs.setdefault(sink, deque(maxlen=RUNS))
        first = last = lines[0].event.seq if lines else 0
        for line in lines[1:]:
            if line.event.seq != last + 1:
                runs.append((first, last, now))
                first = line.event.seq
            last = line.event.seq
        if lines:
            runs.append((first, last, now))

    def at_ms(self, sink: str, seq: int) -> int | None:
        """Returns when the sink got that event last, None where this run does not know."""
        for first, last, at in reversed(tuple(self._runs.get(sink, ()))):
            if first <= seq <= last:
                return at
        return None
