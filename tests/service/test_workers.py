"""Sinks exchanged under a running journal: in the test's own process, with sinks that can be held."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from listener.delivery.worker import Worker
from listener.delivery.workers import Workers
from listener.journal import Cursor, Journal, Pending
from listener.sinks.base import Closed, Line, LinesWritten, Outcome, SinkConfig
from listener.sinks.log import LogConfig

WAIT = 5.0  # seconds


@dataclass
class Held:
    """A sink that delivers only while it may."""

    config: SinkConfig
    may: threading.Event
    busy: threading.Event = field(default_factory=threading.Event)
    closed: bool = False
    got: list[int] = field(default_factory=list)

    def open(self, position: str, upcoming: Iterator[bytes]) -> LinesWritten:
        return LinesWritten(0)

    def deliver(self, lines: Sequence[Line]) -> Outcome:
        self.busy.set()
        assert self.may.wait(WAIT)
        self.got += [line.event.seq for line in lines]
        return LinesWritten(len(lines))

    def idle(self) -> Closed | None:
        return Closed() if self.closed else None

    def reopen(self) -> None:
        """Nothing to open."""

    def close(self) -> None:
        """Nothing to close."""


class Raced(Journal):
    """Something may happen between a look at the cursors and what is done with them."""

    meanwhile: Callable[[], None] | None = None

    def attach(self, sinks: Iterable[tuple[str, bool]]) -> dict[str, Cursor]:
        cursors = super().attach(sinks)
        if self.meanwhile:
            self.meanwhile()
        return cursors


@dataclass
class Bench:
    """Workers over a journal, each sink made as a `Held`."""

    journal: Raced
    made: list[Held] = field(default_factory=list)
    may: threading.Event = field(default_factory=threading.Event)

    def new_worker(
        self, config: SinkConfig, journal: Journal, cursor: Cursor, *, feishu: object, meter: object, **more: Any
    ) -> Worker:
        self.made.append(Held(config, self.may))
        return Worker(config, self.made[-1], journal, cursor, **more)

    def workers(self, on_end: Callable[[Worker], None]) -> Workers:
        return Workers(self.journal, on_end, make=self.new_worker)

    def append(self, name: str) -> None:
        kept = threading.Event()
        self.journal.writer.on_settled = lambda batch: kept.set()
        self.journal.append(Pending(b'{"header":{"event_id":"%s"},"event":{}}' % name.encode(), name, "type"))
        assert kept.wait(WAIT)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    journal = Raced(tmp_path / "j.db")
    journal.start()
    bench = Bench(journal)
    yield bench
    bench.may.set()
    journal.close()


def _config(name: str, **more: Any) -> SinkConfig:
    return LogConfig(name=name, format="raw", **more)


async def _until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(WAIT):
        while not holds():  # noqa: ASYNC110 what it waits for happens in other threads
            await asyncio.sleep(0.01)


def _running(bench: Bench, scenario: Callable[[Workers, list[Worker]], Any]) -> None:
    async def main() -> None:
        loop, over = asyncio.get_running_loop(), list[Worker]()

        def ended(worker: Worker) -> None:
            over.append(worker)
            running.left(worker)

        def on_end(worker: Worker) -> None:
            loop.call_soon_threadsafe(ended, worker)

        running = bench.workers(on_end)
        running.start([_config("a")])
        await scenario(running, over)
        bench.may.set()
        assert [] == await running.drain(WAIT)

    asyncio.run(main())


def test_a_sink_that_hangs_is_exchanged_once_it_lets_go(bench: Bench) -> None:
    async def scenario(running: Workers, over: list[Worker]) -> None:
        bench.append("1")
        await _until(bench.made[0].busy.is_set)
        await running.change([_config("a", level="error")])
        assert 1 == len(bench.made), "two workers on one file"
        assert ["a"] == [worker.config.name for worker, _ in running.overdue()]
        bench.append("2")
        bench.may.set()
        await _until(lambda: len(bench.made) == 2 and bench.made[1].got == [2])
        assert [] == running.overdue()

    _running(bench, scenario)
    assert [1] == bench.made[0].got


def test_of_several_changes_meanwhile_the_last_holds(bench: Bench) -> None:
    async def scenario(running: Workers, over: list[Worker]) -> None:
        bench.append("1")
        await _until(bench.made[0].busy.is_set)
        await running.change([_config("a", level="error")])
        await running.change([])
        await running.change([_config("a", level="warning"), _config("b")])
        bench.may.set()
        await _until(lambda: len(bench.made) == 3)

    _running(bench, scenario)
    assert ["info", "info", "warning"] == [getattr(sink.config, "level", "") for sink in bench.made]


def test_one_that_is_removed_while_it_hangs_does_not_come_back(bench: Bench) -> None:
    async def scenario(running: Workers, over: list[Worker]) -> None:
        bench.append("1")
        await _until(bench.made[0].busy.is_set)
        await running.change([_config("b")])
        assert [] == running.overdue()  # nobody waits for it
        bench.may.set()
        await _until(lambda: over)
        assert ["b"] == [worker.config.name for worker in running]

    _running(bench, scenario)
    assert ["a", "b"] == [sink.config.name for sink in bench.made]


def test_one_that_is_removed_holds_nothing_back(bench: Bench) -> None:
    async def scenario(running: Workers, over: list[Worker]) -> None:
        await running.change([_config("b")])
        assert {"b"} == bench.journal.retention.holding

    _running(bench, scenario)


def test_a_closed_sink_that_is_changed_has_a_successor(bench: Bench) -> None:
    async def scenario(running: Workers, over: list[Worker]) -> None:
        bench.may.set()
        bench.made[0].closed = True
        await _until(lambda: over)
        assert set() == bench.journal.retention.holding
        await running.change([_config("a", level="error")])
        bench.append("1")
        await _until(lambda: len(bench.made) == 2 and bench.made[1].got == [1])
        assert {"a"} == bench.journal.retention.holding
        assert [False] == [worker.state.closed for worker in running]

    _running(bench, scenario)


def test_one_that_is_put_back_at_once_goes_on_where_it_was(bench: Bench) -> None:
    """Its predecessor may end between the look at the journal's cursors and the start: that cursor is stale then."""

    async def scenario(running: Workers, over: list[Worker]) -> None:
        bench.append("1")
        await _until(bench.made[0].busy.is_set)
        await running.change([])

        def until_it_is_over() -> None:
            bench.may.set()
            while not over:
                loop.call_soon_threadsafe(lambda: None)
                threading.Event().wait(0.01)

        loop = asyncio.get_running_loop()
        bench.journal.meanwhile = until_it_is_over
        await running.change([_config("a")])
        bench.append("2")
        await _until(lambda: len(bench.made) == 2 and bench.made[1].got)
        assert [2] == bench.made[1].got

    _running(bench, scenario)


def test_thirty_that_hang_are_left_within_a_common_bound(bench: Bench) -> None:
    async def main() -> list[str]:
        running = bench.workers(lambda worker: None)
        running.start([_config(f"s{number}") for number in range(30)])
        bench.append("1")
        await _until(lambda: all(sink.busy.is_set() for sink in bench.made))
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        ticking = asyncio.ensure_future(tick())
        begun = time.monotonic()
        late = await running.drain(0.3)
        assert time.monotonic() - begun < 3.0  # 30 waits of 0.2 s, one after the other, are 6
        assert ticks > 20, "the loop stood still"
        ticking.cancel()
        return late

    assert 30 == len(asyncio.run(main()))
