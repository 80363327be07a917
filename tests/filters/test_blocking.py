"""Asynchronous sinks under a worker: they deliver, wait, reject, and stop in time."""

import asyncio
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from listener.sinks.base import Line
from listener.sinks.blocking import Blocking
from listener.sinks.results import Delivered, Rejected, Result, TryAgain
from tests.delivery.working import config, drained, working
from tests.journal.keeping import keep_ids, opened, until


class Asynchronous:
    """Takes all but what `rejects`; hangs on "hang"."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self.failures = [TryAgain("later", 0.05)]

    async def open(self) -> None: ...

    async def deliver(self, batch: Sequence[Line]) -> list[Result]:
        if self.failures:
            return [self.failures.pop()] * len(batch)
        if batch[0].event.event_id == "hang":
            await asyncio.sleep(3600)
        results: list[Result] = []
        for line in batch:
            bad = line.event.event_id == "bad"
            results.append(Rejected("422") if bad else Delivered())
            self.got += [] if bad else [line.event.event_id]
        return results

    async def close(self) -> None: ...


def test_a_worker_delivers_waits_and_rejects(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal:
        keep_ids(journal, "a", "bad")
        sink, stopping = Asynchronous(), threading.Event()
        with working(journal, Blocking(sink, stopping), config(), abandon=stopping) as worker:
            drained(worker)
            assert (["a"], 1, 1) == (sink.got, worker.state.retries, worker.state.dead_letters)


def test_a_sink_that_hangs_stops_in_time(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal:
        keep_ids(journal, "hang")
        sink, stopping = Asynchronous(), threading.Event()
        with working(journal, Blocking(sink, stopping), config(), abandon=stopping) as worker:
            until(lambda: not sink.failures, "it is asked")
            started = time.monotonic()
            worker.abandon()
            assert worker.join(5.0)
            assert time.monotonic() - started < 3.0
            assert 0 == worker.state.dead_letters
