"""What `forget` erases does not reach a sink any more, wherever it was by then."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from listener.event import Received
from listener.journal import Cursor, Journal
from listener.sinks.base import Line, NotWritten, Outcome
from tests.delivery.working import Scripted, working
from tests.journal.keeping import forgotten, keep_ids, opened, until


def test_what_is_erased_while_the_sink_fails_does_not_reach_it(tmp_path: Path) -> None:
    """`forget` says so, whatever the worker had read by then."""
    failing = threading.Event()

    class Failing(Scripted):
        def deliver(self, lines: Sequence[Line]) -> Outcome:
            return NotWritten("no room") if failing.is_set() else super().deliver(lines)

    failing.set()
    with opened(tmp_path / "j.db") as journal:
        keep_ids(journal, "a", "b", "c")
        sink = Failing()
        with working(journal, sink) as worker:
            until(lambda: worker.state.retries > 1, "it fails")
            forgotten(journal, 1, 2)
            failing.clear()
            until(lambda: worker.state.delivered == 1, "what is left")
            assert ["c"] == sink.ids
            until(lambda: worker.cursor == Cursor(3), "the cursor after it")


def test_nor_what_is_erased_between_the_reading_and_the_delivery(tmp_path: Path) -> None:
    class ErasedOnceRead:
        """A journal of which an event is erased as soon as it has been read."""

        def __init__(self, journal: Journal) -> None:
            self.journal, self.erased = journal, False

        def __getattr__(self, name: str) -> Any:
            return getattr(self.journal, name)

        def read(self, after: int, limit: int) -> list[Received]:
            events = self.journal.read(after, limit)
            if events and not self.erased:
                self.erased = True
                forgotten(self.journal, 2)
            return events

    with opened(tmp_path / "j.db") as journal:
        keep_ids(journal, "a", "b", "c")
        sink = Scripted()
        with working(cast("Journal", ErasedOnceRead(journal)), sink) as worker:
            until(lambda: worker.cursor == Cursor(3), "all that is left")
        assert ["a", "c"] == sink.ids


def test_nor_from_the_newest_events_in_memory(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal:
        keep_ids(journal, "a", "b", "c")
        assert ["a", "b", "c"] == [event.event_id for event in journal.read(0, 9)]
        forgotten(journal, 2)
        assert ["a", "c"] == [event.event_id for event in journal.read(0, 9)]
        keep_ids(journal, "d")
        assert ["a", "c", "d"] == [event.event_id for event in journal.read(0, 9)]
        assert ["d"] == [event.event_id for event in journal.read(3, 9)]
