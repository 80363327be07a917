"""Standard output: whole lines, also to a reader that is slow, and an end that is no error when it goes away."""

import os
import select
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from listener.sinks.base import Closed, LinesWritten, NotWritten
from listener.sinks.stdout import StdoutConfig, StdoutSink
from tests.journal.keeping import until
from tests.sinks.lines import again, data, line, lines
from tests.small_disk import small_disk


class Pipe:
    """In place of standard output."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()

    def sink(self, stopping: threading.Event | None = None) -> StdoutSink:
        return sink(self.writer, stopping)

    def read(self, size: int = 1 << 20) -> bytes:
        return os.read(self.reader, size) if select.select([self.reader], [], [], 0)[0] else b""

    def fill(self) -> bytes:
        """Until it would block."""
        filler = b""
        while select.select([], [self.writer], [], 0)[1]:
            filler += b" " * os.write(self.writer, b" " * select.PIPE_BUF)
        return filler

    def close(self) -> None:
        for fd in (self.reader, self.writer):
            try:
                os.close(fd)
            except OSError:
                continue


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


def sink(fd: int, stopping: threading.Event | None = None) -> StdoutSink:
    return StdoutSink(StdoutConfig(name="stdout"), stopping or threading.Event(), fd)


def test_a_line_each(pipe: Pipe) -> None:
    assert LinesWritten(300) == pipe.sink().deliver(lines(1, 300))
    assert data(*lines(1, 300)) == pipe.read()


def test_a_line_longer_than_the_pipe_comes_whole(pipe: Pipe) -> None:
    long = line(1, b"x" * 500_000)
    outcomes: list[object] = []
    writing = threading.Thread(target=lambda: outcomes.append(pipe.sink().deliver([long, *lines(2, 3)])))
    writing.start()
    got = b""
    while len(got) < len(data(long, *lines(2, 3))):
        got += os.read(pipe.reader, 65536)
    writing.join(5)
    assert [LinesWritten(3)] == outcomes
    assert data(long, *lines(2, 3)) == got


def test_a_closed_reader_ends_it_at_once_and_without_an_event(pipe: Pipe) -> None:
    one = pipe.sink()
    assert None is one.idle()
    os.close(pipe.reader)
    assert Closed() == one.idle()
    assert Closed(0) == one.deliver(lines(1, 3))


def test_stopping_ends_the_wait_for_a_slow_reader_between_two_writes(pipe: Pipe) -> None:
    filler = pipe.fill()
    stopping = threading.Event()
    outcomes: list[object] = []
    one = pipe.sink(stopping)
    writing = threading.Thread(target=lambda: outcomes.append(one.deliver(lines(1, 1000))))
    writing.start()
    assert filler[:20_000] == pipe.read(20_000)
    until(lambda: not select.select([], [pipe.writer], [], 0)[1], "it has written what fits")
    stopping.set()
    writing.join(5)

    (outcome,) = outcomes
    assert isinstance(outcome, LinesWritten)
    assert 0 < outcome.count < 1000
    assert data(*lines(1, outcome.count)) == pipe.read().lstrip()


def test_a_full_disk_behind_it_repeats_and_tears_no_line(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "1m") as disk:
        path = disk.path / "out.jsonl"
        fd = os.open(path, os.O_CREAT | os.O_WRONLY)
        one = sink(fd)
        todo = [line(n, b'{"x":"%05d%s"}' % (n, b"y" * 990)) for n in range(1, 101)]
        disk.fill(leave=40_960)
        outcome = one.deliver(todo)
        assert isinstance(outcome, LinesWritten)
        assert 0 < outcome.count < 100
        left = todo[outcome.count :]
        assert "No space left" in again(one.deliver(left))
        disk.empty()
        assert LinesWritten(len(left)) == one.deliver(left)
        os.close(fd)
        assert data(*todo) == path.read_bytes()


def test_half_a_line_ends_before_another_begins(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write

    def half(fd: int, content: bytes) -> int:
        if len(content) > 10:
            return write(fd, content[:10])
        raise OSError(28, "No space left on device")

    one, first = pipe.sink(), line(1, b"x" * 15)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", half)
        assert "No space left" in again(one.deliver([first]))
        failed = one.deliver([first])
    assert isinstance(failed, NotWritten)
    successor = pipe.sink()
    assert LinesWritten(0, failed.position) == successor.open(failed.position, iter([first.data]))
    assert LinesWritten(1) == one.deliver([line(2)])  # an order came between
    assert b"x" * 10 + b"\n" + data(line(2)) == pipe.read()
