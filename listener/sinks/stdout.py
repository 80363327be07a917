"""Records on standard output, a line each. A slow reader delays only this sink; a closed one ends it."""

import os
import select
from collections.abc import Iterator, Sequence
from typing import Literal

from listener.sinks.base import NEVER_GIVE_UP, Closed, Delivered, Line, Outcome, Retry, SinkConfig, Stopping

STDOUT = 1  # the descriptor: nothing of Python's buffering in between
LOOK = 500  # milliseconds between looks at `stopping` while the reader is slow


class StdoutConfig(SinkConfig, frozen=True, kw_only=True):
    """Standard output has no settings of its own."""

    type: Literal["stdout"] = "stdout"
    retry: Retry = NEVER_GIVE_UP


class StdoutSink:
    def __init__(self, config: StdoutConfig, stopping: Stopping) -> None:
        self._stopping = stopping
        self._poll = select.poll()
        self._poll.register(STDOUT, select.POLLOUT)

    def open(self, position: str, upcoming: Iterator[bytes]) -> Delivered:
        return Delivered(0)

    def deliver(self, lines: Sequence[Line]) -> Outcome:
        """In pieces that a pipe takes whole, so that what was written is known to the line."""
        count = 0
        for piece, size in _pieces([line.data for line in lines]):
            if not self._writable():
                return Delivered(count)
            try:
                _write(piece)
            except BrokenPipeError:
                return Closed(count)
            count += size
        return Delivered(count)

    def idle(self) -> Closed | None:
        broken = select.POLLERR | select.POLLNVAL | select.POLLHUP
        return Closed() if any(state & broken for _, state in self._poll.poll(0)) else None

    def reopen(self) -> None:
        """Nothing to open."""

    def close(self) -> None:
        """The descriptor is the process's."""

    def _writable(self) -> bool:
        while not self._poll.poll(LOOK):
            if self._stopping.is_set():
                return False
        return True


def _pieces(lines: list[bytes]) -> Iterator[tuple[bytes, int]]:
    """Whole lines together up to PIPE_BUF bytes, which a pipe that polls writable takes at once (pipe(7))."""
    piece, count = bytearray(), 0
    for line in lines:
        if count and len(piece) + len(line) + 1 > select.PIPE_BUF:
            yield bytes(piece), count
            piece, count = bytearray(), 0
        piece += line + b"\n"
        count += 1
    if count:
        yield bytes(piece), count


def _write(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(STDOUT, view) :]
