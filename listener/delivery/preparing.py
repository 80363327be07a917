"""Makes events into one sink's lines: selected, formatted, reshaped, filtered and transformed, in this order.

An event that the settings leave out is passed over. One on which a step fails becomes a dead letter with the reason;
later events wait until it is one, so that the order stays.
"""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from listener.delivery.formatting import SLICE, Formatter
from listener.delivery.jq import JqFailure, Program
from listener.delivery.selection import wants
from listener.event import Received, Unparsable
from listener.event.reshaping import reshaping
from listener.journal import Journal, Redelivery
from listener.sinks.base import Line, SinkConfig


@dataclass
class Prepared:
    """The result for the events up to the seq `upto`: `lines` to deliver, and the seqs that were `passed` over.

    `failed` is the event after `upto` on which a step failed, and why.
    """

    upto: int
    lines: list[Line] = field(default_factory=list)
    passed: list[int] = field(default_factory=list)
    failed: tuple[Received, str] | None = None


class Preparer:
    """Takes events through the steps of one sink, in one thread. `close` ends the process of the sink's expressions."""

    def __init__(self, config: SinkConfig, formatter: Formatter, stopping: threading.Event) -> None:
        self._format, self._formatter, self._only = config.format, formatter, config.only
        self._reshaped = reshaping(config.omit, config.mask)
        self._program = Program.of(config, stopping)

    @property
    def may_take_long(self) -> bool:
        """Returns whether the sink has users' expressions, each of which may run for up to a second."""
        return self._program is not None

    def prepare(self, events: Sequence[Received]) -> Prepared:
        """Prepares events, at least one; it ends at the first on which a step fails."""
        only = self._only
        wanted = [event for event in events if wants(only, event)] if only else events
        lines, failed = self._lines(wanted)
        if failed or len(lines) < len(wanted):
            stopped_at: Received | None = wanted[len(lines)]
        else:
            stopped_at = None
        kept = [line for line in lines if line is not None]
        upto = stopped_at.seq - 1 if stopped_at else events[-1].seq
        passed: list[int] = []
        if len(kept) < len(events):
            keep = {line.event.seq for line in kept}
            passed = [event.seq for event in events if event.seq <= upto and event.seq not in keep]
        return Prepared(upto, kept, passed, (stopped_at, failed) if stopped_at and failed else None)

    def prepare_all(self, events: Sequence[Received]) -> Iterator[Prepared]:
        """Yields results until all of these events are prepared; each failed event ends one. A stop ends it early."""
        while events:
            prepared = self.prepare(events)
            yield prepared
            upto = prepared.failed[0].seq if prepared.failed else prepared.upto
            if upto < events[0].seq:
                break  # stopping
            events = [event for event in events if event.seq > upto]

    def upcoming(self, journal: Journal, redelivery: Redelivery | None, after: int) -> Iterator[Line]:
        """Yields the lines that come after that seq: those of the replay or retry if one is given, else new ones."""
        last = redelivery.last_seq if redelivery else journal.last_seq
        while after < last:
            if redelivery:
                events, after = journal.events_of(redelivery, after, SLICE)
            else:
                events = journal.read(after, SLICE)
                after = events[-1].seq if events else last
            for prepared in self.prepare_all(events):
                yield from prepared.lines

    def close(self) -> None:
        """Ends the process of the sink's expressions, if there is one."""
        if self._program:
            self._program.close()

    def _lines(self, events: Sequence[Received]) -> tuple[list[Line | None], str]:
        """Returns each event's line (None where it is filtered) up to one that fails a step, and why it failed."""
        if not events:
            return [], ""
        try:
            lines = self._formatter.lines(events, self._format)
        except Unparsable as e:
            return [], e.reason
        if self._reshaped:
            lines = [Line(line.event, self._reshaped(line.data)) for line in lines]
        return self._run(self._program, lines) if self._program else (list(lines), "")

    def _run(self, program: Program, lines: list[Line]) -> tuple[list[Line | None], str]:
        """Returns the lines after filter and transform."""
        results = program.run([line.data for line in lines])
        after: list[Line | None] = []
        for line, result in zip(lines, results, strict=False):
            if isinstance(result, JqFailure):
                return after, result.reason
            after.append(None if result is None else Line(line.event, result))
        return after, ""
