"""Writes records to standard output, a line each. A slow reader delays only this sink; a closed one ends it."""

import os
import select
import zlib
from collections.abc import Iterator, Sequence
from typing import Literal

from listener.sinks.base import (
    NEVER_GIVE_UP,
    Closed,
    Line,
    LinesWritten,
    NotWritten,
    Outcome,
    Retry,
    SinkConfig,
    Stopping,
)

STDOUT = 1  # the descriptor: nothing of Python's buffering in between
LOOK = 50  # milliseconds between looks at `stopping` while the reader is slow: a stop has 200 to learn what is out
_FOREIGN = b"\0"  # half a line that is not of the next ones: none begins with NUL, so it is ended by a newline
_BROKEN = select.POLLERR | select.POLLNVAL | select.POLLHUP


class StdoutConfig(SinkConfig, frozen=True, kw_only=True):
    """The settings, of which standard output has none of its own."""

    type: Literal["stdout"] = "stdout"
    retry: Retry = NEVER_GIVE_UP


class StdoutSink:
    idle_every = 0.25  # seconds: how soon a closed reader is noticed

    def __init__(self, config: StdoutConfig, stopping: Stopping, fd: int = STDOUT) -> None:
        self._stopping, self._fd = stopping, fd
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)
        self._out = b""  # what of the next lines is out already

    def open(self, position: str, upcoming: Iterator[bytes]) -> LinesWritten:
        """Completes half a line that an earlier sink left on the same pipe or file, or else ends it by a newline."""
        place, _, rest = position.partition(" ")
        if rest and place == self._place():
            size, crc = map(int, rest.split())
            self._out = _beginning(upcoming, size)
            if len(self._out) < size or zlib.crc32(self._out) != crc:
                self._out = _FOREIGN
        return LinesWritten(0, self._position())

    def deliver(self, lines: Sequence[Line]) -> Outcome:
        """Writes the lines; it stops between two writes only, so that what is out is known to the byte."""
        count = 0
        for piece, size in _pieces([line.data for line in lines]):
            try:
                if not self._write(piece):
                    return LinesWritten(count, self._position())
            except BrokenPipeError:
                return Closed(count)
            except OSError as e:  # such as a full disk that standard output was sent to
                failure = NotWritten(f"standard output: {e.strerror}", self._position())
                return LinesWritten(count, self._position()) if count else failure
            count += size
        return LinesWritten(count, self._position())

    def idle(self) -> Closed | None:
        return Closed() if any(state & _BROKEN for _, state in self._poll.poll(0)) else None

    def reopen(self) -> None:
        """Does nothing, since there is nothing to open."""

    def close(self) -> None:
        """Does nothing, since the descriptor is the process's."""

    def _write(self, piece: bytes) -> bool:
        """Writes all of the piece; returns False if a stop came first.

        A pipe that polls writable takes PIPE_BUF bytes at once (pipe(7)).
        """
        if self._out.startswith(piece):
            self._out = self._out[len(piece) :]
            return True
        if not piece.startswith(self._out):  # a redelivery comes between: half a line ends here
            piece, self._out = b"\n" + piece, b""
        while rest := piece[len(self._out) :]:
            if not self._writable():
                return False
            self._out += rest[: os.write(self._fd, rest[: select.PIPE_BUF])]
        self._out = b""
        return True

    def _position(self) -> str:
        """Returns where half a line is out: on which pipe or file, how much of what comes next, and its checksum."""
        return f"{self._place()} {len(self._out)} {zlib.crc32(self._out)}" if self._out else ""

    def _place(self) -> str:
        """Returns what tells this standard output from another one."""
        state = os.fstat(self._fd)
        return f"{state.st_dev}:{state.st_ino}"

    def _writable(self) -> bool:
        while not self._poll.poll(LOOK):
            if self._stopping.is_set():
                return False
        return True


def _beginning(lines: Iterator[bytes], size: int) -> bytes:
    """Returns the first `size` bytes of the lines that come next."""
    text = b""
    while len(text) < size and (line := next(lines, None)) is not None:
        text += line + b"\n"
    return text[:size]


def _pieces(lines: list[bytes]) -> Iterator[tuple[bytes, int]]:
    """Yields (whole lines together up to PIPE_BUF bytes, or one line that is longer, their number)."""
    piece, count = bytearray(), 0
    for line in lines:
        if count and len(piece) + len(line) + 1 > select.PIPE_BUF:
            yield bytes(piece), count
            piece, count = bytearray(), 0
        piece += line + b"\n"
        count += 1
    if count:
        yield bytes(piece), count
