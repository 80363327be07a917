"""What sinks are given in tests."""

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from listener.journal import Cursor
from listener.sinks import TYPES, new_sink
from listener.sinks.base import Line, LinesWritten, NotWritten, Outcome, Sink, SinkConfig
from tests.samples import encode, example, received


def line(seq: int, data: bytes | None = None) -> Line:
    event = received(encode(example(f"e{seq}")), seq=seq)
    return Line(event, b'{"seq":%d,"text":"%s"}' % (seq, "工单消息".encode()) if data is None else data)


def lines(first: int, last: int) -> list[Line]:
    return [line(seq) for seq in range(first, last + 1)]


def data(*of: Line) -> bytes:
    """As they stand in a file."""
    return b"".join(one.data + b"\n" for one in of)


def upcoming(of: Sequence[Line]) -> Iterator[bytes]:
    return iter([one.data for one in of])


def sink_of(config: SinkConfig, stopping: threading.Event | None = None) -> Sink:
    return new_sink(config, stopping or threading.Event())


def config_of(kind: str, tmp_path: Path, **settings: object) -> SinkConfig:
    """With what the type needs, besides `settings`."""
    needed: dict[str, object] = {"path": tmp_path / "out.jsonl"} if kind == "file" else {}
    return TYPES[kind].config(name="sink", type=kind, **(needed | settings))  # type: ignore[arg-type]


class Delivery:
    """A sink's whole way, as its worker goes it: opened, given lines until it has them, its place kept when it must.

    `kept` is what a crash leaves of its place; `place` what the worker knows.
    """

    def __init__(self, sink: Sink, position: str = "", ahead: Sequence[Line] = (), before: Sink | None = None) -> None:
        self.sink = sink
        if before is not None:
            before.close()  # as the end of its process does
        self.kept = self.place = Cursor(0, position)
        self.sync: Callable[[], str] = str
        self.found = self._took(sink.open(position, upcoming(ahead)), ahead)

    def give(self, of: Sequence[Line]) -> None:
        """Until it has all of them; what it asks to try again fails the test."""
        left = list(of)
        for _ in range(100):
            if not left:
                return
            left = left[self._took(self.once(left), left) :]
        raise AssertionError("the sink takes nothing")

    def once(self, of: Sequence[Line]) -> Outcome:
        return self.sink.deliver(of)

    def keep(self) -> None:
        """The cursor comes to disk, after the sync of what it stands for."""
        assert "" == self.sync()
        self.kept = self.place

    def _took(self, outcome: Outcome, of: Sequence[Line]) -> int:
        assert isinstance(outcome, LinesWritten), outcome
        seq = of[outcome.count - 1].event.seq if outcome.count else self.place.seq
        self.place = Cursor(seq, outcome.position)
        self.sync = outcome.sync or self.sync
        if outcome.keep_now:
            self.keep()
        return outcome.count


def again(outcome: Outcome) -> str:
    """Why the sink wants to try again."""
    assert isinstance(outcome, NotWritten), outcome
    return outcome.reason
