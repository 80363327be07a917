"""Writes records as entries of the daemon's own log, on standard error or in the journal of systemd."""

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from listener.base.logs import get_logger
from listener.sinks.base import NEVER_GIVE_UP, Closed, Line, LinesWritten, Outcome, Retry, SinkConfig, Stopping


class LogConfig(SinkConfig, frozen=True, kw_only=True):
    """The settings; each record is logged at `level`."""

    type: Literal["log"] = "log"
    level: Literal["debug", "info", "warning", "error"] = "info"
    retry: Retry = NEVER_GIVE_UP


class LogSink:
    def __init__(self, config: LogConfig, stopping: Stopping) -> None:
        self._tell = getattr(get_logger(__name__, every_line=True), config.level)
        self._sink = config.name

    def open(self, position: str, upcoming: Iterator[bytes]) -> LinesWritten:
        return LinesWritten(0)

    def deliver(self, lines: Sequence[Line]) -> Outcome:
        for line in lines:
            self._tell(
                line.event.event_type, sink=self._sink, seq=line.event.seq, record=msgspec.json.decode(line.data)
            )
        return LinesWritten(len(lines))

    def idle(self) -> Closed | None:
        return None

    def reopen(self) -> None:
        """Does nothing, since nothing is open."""

    def close(self) -> None:
        """Does nothing, since nothing is open."""
