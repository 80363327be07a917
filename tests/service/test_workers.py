"""Sinks exchanged under a running journal: in the test's own process, with sinks that can be held."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from listener.delivery import workers as module
from listener.delivery.worker import Worker
from listener.delivery.workers import Workers
from listener.journal import Journal, Pending
from listener.sinks.base import Closed, Delivered, Line, Outcome, SinkConfig, Stopping
from listener.sinks.log import LogConfig

WAIT = 5.0  # seconds


@dataclass
class Held:
    """A sink that delivers only while it may."""

    config: SinkConfig
    may: threading.Event
    busy: threading.Event = field(default_factory=threading.Event)
    got: list[int] = field(default_factory=list)

    def open(self, position: str, upcoming: Iterator[bytes]) -> Delivered:
        return Delivered(0)

    def deliver(self, lines: Sequence[Line]) -> Outcome:
        self.busy.set()
        assert self.may.wait(WAIT)
        self.got += [line.event.seq for line in lines]
        return Delivered(len(lines))

    def idle(self) -> Closed | None:
        return None

    def reopen(self) -> None:
        """Nothing to open."""

    def close(self) -> None:
        """Nothing to close."""


@dataclass
class Bench:
    """Workers over a journal, each sink made as a `Held`."""

    journal: Journal
    made: list[Held] = field(default_factory=list)
    may: threading.Event = field(default_factory=threading.Event)

    def new_sink(self, config: SinkConfig, stopping: Stopping) -> Held:
        self.made.append(Held(config, self.may))
        return self.made[-1]

    def append(self, name: str) -> None:
        kept = threading.Event()
        self.journal.writer.on_settled = lambda batch: kept.set()
        self.journal.append(Pending(b'{"header":{"event_id":"%s"},"event":{}}' % name.encode(), name, "type"))
        assert kept.wait(WAIT)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    journal = Journal(tmp_path / "j.db")
    journal.start()
    bench = Bench(journal)
    monkeypatch.setattr(module, "new_sink", bench.new_sink)
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

        running = Workers(bench.journal, on_end)
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
        bench.append("2")
        bench.may.set()
        await _until(lambda: len(bench.made) == 2 and bench.made[1].got == [2])

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
