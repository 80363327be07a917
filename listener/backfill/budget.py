"""Keeps the meter of API calls in the journal: the count outlives a run, and every process adds to the same sum."""

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from listener.base.errors import JournalError
from listener.base.logs import get_logger
from listener.feishu.meter import Meter
from listener.journal import Journal, calls, redelivery

log = get_logger(__name__)


def restored(meter: Meter, journal: Journal) -> Meter:
    """Returns the meter with what the journal knows of this month. Raises JournalError."""
    counts, halted = journal.ask(lambda connection: calls.load(connection, meter.month))
    journal.leave()
    meter.restore(meter.month, counts, halted)
    return meter


@contextmanager
def counted(journal: Path) -> Iterator[Meter]:
    """Yields a meter for calls that a person asks for: none is refused, and a journal that is there counts them."""
    meter = Meter()
    meter.optional = False
    try:
        yield meter
    finally:
        with suppress(JournalError):  # this user may not write it: what was asked for is done
            keep_calls(journal, meter)


def keep_calls(journal: Path, meter: Meter) -> None:
    """Adds this process's calls to what the journal counts; a journal that is not there yet counts none."""
    month, counts = meter.unkept()
    if counts and journal.exists():
        redelivery.beside_daemon(journal, lambda connection: calls.add(connection, month, counts, meter.halted))
        meter.kept(month, counts)


class Keeper:
    """Writes a meter's new calls to the journal now and then. It is used in one thread."""

    def __init__(self, meter: Meter, journal: Journal) -> None:
        self._meter, self._journal = meter, journal
        self._writing: Future[Any] | None = None
        self._halted = meter.halted

    def keep(self) -> None:
        """Puts new calls into the next commit, without waiting for it; what fails is tried at the next call."""
        if self._writing is not None and not self._writing.done():
            return
        month, counts = self._meter.unkept()
        halted = self._meter.halted
        if not counts and halted == self._halted:
            return
        self._writing = self._journal.writer.submit(lambda c: _add(c, month, counts, halted))
        self._writing.add_done_callback(partial(self._kept, month, counts, halted))

    def _kept(self, month: str, counts: dict[str, int], halted: str, written: "Future[Any]") -> None:
        if written.exception() is None:
            self._meter.kept(month, counts)
            self._halted = halted
            self._meter.restore(month, *written.result())


def _add(connection: Any, month: str, counts: dict[str, int], halted: str) -> tuple[dict[str, int], str]:
    calls.add(connection, month, counts, halted)
    return calls.load(connection, month)
