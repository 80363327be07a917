"""Makes events into the lines that sinks want, in slices that leave the interpreter to the acks in between."""

import threading
import time
from collections.abc import Sequence

from listener.base.logs import get_logger
from listener.event import FORMATS, Received, Unparsable
from listener.sinks.base import Line

SLICE = 64  # events formatted before other threads get their turn at the interpreter
MAX_LINES, MAX_BYTES = 1024, 8 * 2**20  # kept for the sinks that come after the first
log = get_logger(__name__)


class Formatter:
    """Formats each event once where several sinks want it in the same form at about the same time."""

    def __init__(self, share: bool) -> None:
        self.share = share  # whether several sinks may want the same
        self._known: dict[tuple[int, str, bool], bytes] = {}
        self._bytes = 0
        self._guard = threading.Lock()

    def lines(self, events: Sequence[Received], form: str) -> list[Line]:
        """Returns the lines of these events, up to the first event that can't be formatted.

        Raises Unparsable where no event precedes that one.
        """
        lines: list[Line] = []
        for start in range(0, len(events), SLICE):
            if start:
                time.sleep(0)  # gives the interpreter away: acks come first
            try:
                self._format(events[start : start + SLICE], form, lines)
            except Unparsable:
                if not lines:
                    raise
                break
        return lines

    def _format(self, events: Sequence[Received], form: str, lines: list[Line]) -> None:
        """Appends the events' lines to `lines`, where those that precede an error stay."""
        if self.share:
            with self._guard:
                lines.extend(Line(event, self._line(event, form)) for event in events)
        else:
            lines.extend(Line(event, _formatted(event, form)) for event in events)

    def _line(self, event: Received, form: str) -> bytes:
        key = (event.seq, form, bool(event.added))
        line = self._known.get(key)
        if line is None:
            line = self._known[key] = _formatted(event, form)
            self._bytes += len(line)
            while len(self._known) > MAX_LINES or (self._bytes > MAX_BYTES and len(self._known) > 1):
                self._bytes -= len(self._known.pop(next(iter(self._known))))
        return line


def _formatted(event: Received, form: str) -> bytes:
    """Returns the event in this format. Raises Unparsable."""
    try:
        return FORMATS[form](event)
    except Unparsable:
        raise
    except Exception as e:  # a bug: one event that can't be formatted must not stop the others
        log.exception("an event could not be formatted", seq=event.seq, event_id=event.event_id)
        raise Unparsable(f"{type(e).__name__} in the format {form}") from e
