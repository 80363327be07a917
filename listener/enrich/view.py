"""Shows the journal to a sink that wants what is fetched: no event before that is on disk, and each one with it."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from listener.event import Received
from listener.journal import Journal, Redelivery, enrichment
from listener.journal.recent import never
from listener.settings.config import EnrichSettings
from listener.sinks.base import SinkConfig

FIELDS = ("ticket_detail", "attachments")


def wants(config: SinkConfig, settings: EnrichSettings) -> bool:
    """Returns whether a sink's lines show what is fetched; a sink whose lines do not is never held up by it."""
    shown = [name for name, on in zip(FIELDS, (settings.ticket, settings.attachments), strict=True) if on]
    return config.format == "record" and any(name not in config.omit for name in shown)


class View:
    """A Journal to its users, with another `last_seq`, `read`, `events_of` and `wait`; the rest is the journal's own.

    `enriched_to` returns up to which seq events are ready; None, for a command: all that an earlier run has enriched.
    """

    def __init__(self, journal: Journal, enriched_to: Callable[[], int]) -> None:
        self._journal, self._enriched_to = journal, enriched_to
        self._moved = threading.Condition()
        journal.on_change(self.moved)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    @property
    def last_seq(self) -> int:
        """Returns the seq of the newest event that is ready."""
        return self._enriched_to()

    def read(self, after: int, limit: int) -> list[Received]:
        """Returns the next events that are ready."""
        upto = self._enriched_to()
        if after >= upto:
            return []
        return self._with_added([event for event in self._journal.read(after, limit) if event.seq <= upto])

    def events_of(self, redelivery: Redelivery, after: int, limit: int) -> tuple[list[Received], int]:
        """Returns a redelivery's next events: each was delivered once, so it is ready."""
        events, upto = self._journal.events_of(redelivery, after, limit)
        return self._with_added(events), upto

    def wait(self, after: int, timeout: float, over: Callable[[], bool] = never) -> bool:
        """Waits for a ready event after this seq, for `wake`, or until `over` is true; returns whether there is one."""
        with self._moved:
            if self._enriched_to() <= after and not over():
                self._moved.wait(timeout)
        return self._enriched_to() > after

    def wake(self) -> None:
        """Lets every `wait` return."""
        with self._moved:
            self._moved.notify_all()
        self._journal.wake()

    def moved(self) -> None:
        """Tells those who wait that more events are ready, or that something beside them has changed."""
        with self._moved:
            self._moved.notify_all()

    def _with_added(self, events: Sequence[Received]) -> list[Received]:
        if not events:
            return []
        added = self._journal.ask(lambda connection: enrichment.added(connection, [event.seq for event in events]))
        return [replace(event, added=added.get(event.seq, b"")) for event in events]
