"""Events to the lines that sinks want, in slices that leave the interpreter to the acks in between."""

import threading
import time
from collections.abc import Sequence

from listener.event import FORMATS, Received, Unparsable
from listener.logs import get_logger

SLICE = 64  # events formatted before other threads get their turn at the interpreter
MAX_LINES, MAX_BYTES = 1024, 8 * 2**20  # kept for the sinks that come after the first
log = get_logger(__name__)
Formatted = list[bytes | Unparsable]


class Formatter:
    """Formats each event once where several sinks want it in the same form at about the same time."""

    def __init__(self, share: bool) -> None:
        self.share = share  # whether several sinks may want the same
        self._known: dict[tuple[int, str], bytes | Unparsable] = {}
        self._bytes = 0
        self._guard = threading.Lock()

    def lines(self, events: Sequence[Received], form: str) -> Formatted:
        """A line for each event, or why there can't be one."""
        lines: Formatted = []
        for start in range(0, len(events), SLICE):
            if start:
                time.sleep(0)  # gives the interpreter away: acks come first
            part = events[start : start + SLICE]
            lines += self._shared(part, form) if self.share else [_formatted(event, form) for event in part]
        return lines

    def _shared(self, events: Sequence[Received], form: str) -> Formatted:
        with self._guard:
            return [self._line(event, form) for event in events]

    def _line(self, event: Received, form: str) -> bytes | Unparsable:
        key = (event.seq, form)
        line = self._known.get(key)
        if line is None:
            line = self._known[key] = _formatted(event, form)
            self._bytes += _size(line)
            while len(self._known) > MAX_LINES or (self._bytes > MAX_BYTES and len(self._known) > 1):
                self._bytes -= _size(self._known.pop(next(iter(self._known))))
        return line


def _formatted(event: Received, form: str) -> bytes | Unparsable:
    try:
        return FORMATS[form](event)
    except Unparsable as e:
        return e
    except Exception as e:  # a bug: one event that can't be formatted must not stop the others
        log.exception("an event could not be formatted", seq=event.seq, event_id=event.event_id)
        return Unparsable(f"{type(e).__name__} in the format {form}")


def _size(line: bytes | Unparsable) -> int:
    return len(line) if isinstance(line, bytes) else 0
