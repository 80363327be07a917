"""Runs the workers of all sinks: starts them, changes them while events flow, and drains them at the end."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, cast

from listener.delivery.formatting import Formatter
from listener.delivery.worker import Worker
from listener.feishu.meter import Meter
from listener.journal import Cursor, Journal
from listener.settings.config import FeishuSettings
from listener.sinks import new_network_sink, new_sink
from listener.sinks.base import Line, SinkConfig
from listener.sinks.chat import Bot, ChatConfig, ChatSink
from listener.sinks.network import NetworkConfig

ABANDONED = 0.2  # seconds that all workers together have to end once they are abandoned
OnDelivered = Callable[[str, Sequence[Line]], None]
"""(sink's name, the lines), in the worker's thread."""


def new_worker(
    config: SinkConfig,
    journal: Journal,
    cursor: Cursor,
    *,
    abandon: threading.Event,
    feishu: Callable[[], FeishuSettings] | None = None,
    meter: Meter | None = None,
    **more: Any,
) -> Worker:
    """Makes the worker that the sink's type needs; a NetworkWorker has the same outer interface as a Worker.

    `feishu` gives the app's settings to a sink that writes as the app; `meter` counts its calls.
    """
    if isinstance(config, NetworkConfig):
        from listener.delivery.network_worker import NetworkWorker

        sink = new_network_sink(config)
        if isinstance(sink, ChatSink) and feishu:
            sink.app_bot = _app_bot(config, feishu, meter)
        return cast("Worker", NetworkWorker(config, sink, journal, cursor, abandon=abandon, **more))
    return Worker(config, new_sink(config, abandon), journal, cursor, abandon=abandon, **more)


def _app_bot(config: NetworkConfig, feishu: Callable[[], FeishuSettings], meter: Meter | None) -> Bot | None:
    if not isinstance(config, ChatConfig) or config.chat_id is None:
        return None
    from listener.feishu.app_bot import AppBot

    return AppBot(feishu, config.chat_id, meter)


class Workers:
    """Holds the workers of all sinks, starts them, changes them at a reload and drains them. Used in the loop's thread.

    `on_end` is called in the workers' own threads; it should have the loop call `left`.
    """

    def __init__(
        self,
        journal: Journal,
        on_end: Callable[[Worker], None],
        *,
        limit: int | None = None,
        on_delivered: OnDelivered | None = None,
        feishu: Callable[[], FeishuSettings] | None = None,
        view: Callable[[SinkConfig], Any] | None = None,
        meter: Meter | None = None,
        make: Callable[..., Worker] = new_worker,
    ) -> None:
        self._make = make
        self._feishu = feishu
        self._meter = meter
        self._view = view or (lambda config: journal)  # the journal as a sink is to see it
        self._journal, self._on_end, self._limit, self._on_delivered = journal, on_end, limit, on_delivered
        self._formatter = Formatter(share=False)
        self._wanted: dict[str, SinkConfig] = {}
        self._current: dict[str, Worker] = {}
        self._leaving: dict[Worker, float] = {}  # since when, in Unix seconds
        self._left_at: dict[str, Cursor] = {}  # of sinks whose workers ended in this run: newer than the journal's

    def __iter__(self) -> Iterator[Worker]:
        return iter(list(self._current.values()))

    def overdue(self) -> list[tuple[Worker, float]]:
        """Returns the dismissed workers that have not ended while a successor waits for their sink, and since when.

        Times are Unix seconds.
        """
        awaited = self._wanted.keys() - self._current.keys()
        return [(worker, since) for worker, since in self._leaving.items() if worker.config.name in awaited]

    def start(self, sinks: Sequence[SinkConfig]) -> None:
        """Starts a worker for each sink; blocks while the journal attaches them. Raises JournalError."""
        cursors = self._attach(sinks)
        self._wanted = {config.name: config for config in sinks}
        for config in sinks:
            self._start(config, cursors[config.name])

    async def change(self, sinks: Sequence[SinkConfig]) -> None:
        """Changes to these sinks: a sink with the same settings goes on and reopens its file, others stop or start.

        Raises JournalError before anything has changed.
        """
        cursors = await asyncio.to_thread(self._attach, sinks)
        self._wanted = {config.name: config for config in sinks}
        for worker in self:
            if self._wanted.get(worker.config.name) == worker.config:
                worker.sink.reopen()
            else:
                self._dismiss(worker)
        for config in sinks:
            if config.name not in self._current and not self._is_leaving(config.name):
                self._start(config, cursors[config.name])

    def left(self, worker: Worker) -> bool:
        """Takes note of a worker that ended; returns whether it was dismissed.

        A successor that waits for the sink starts now, from the worker's cursor: two workers must never write one file.
        """
        if worker not in self._leaving:
            return False
        del self._leaving[worker]
        name = worker.config.name
        self._left_at[name] = worker.cursor
        if name in self._wanted and name not in self._current and not self._is_leaving(name):
            self._start(self._wanted[name], worker.cursor)
        return True

    async def drain(self, seconds: float) -> list[str]:
        """Lets every sink have what is journalled by now; returns the names of those that did not finish in time."""
        until = time.monotonic() + seconds
        self._wanted = {}
        workers = [*self, *self._leaving]
        for worker in workers:
            worker.stop()
        for worker in workers:
            await asyncio.to_thread(worker.join, max(0.0, until - time.monotonic()))
        for worker in workers:
            worker.abandon()
        await asyncio.to_thread(_join, workers, time.monotonic() + ABANDONED)
        return [worker.config.name for worker in workers if not worker.join(0)]

    def _attach(self, sinks: Sequence[SinkConfig]) -> dict[str, Cursor]:
        return self._journal.attach((sink.name, sink.start == "earliest") for sink in sinks)

    def _start(self, config: SinkConfig, cursor: Cursor) -> None:
        abandon = threading.Event()
        cursor = self._left_at.pop(config.name, cursor)
        self._journal.retention.hold(config.name)
        worker = self._make(
            config,
            self._view(config),
            cursor,
            formatter=self._formatter,
            abandon=abandon,
            feishu=self._feishu,
            meter=self._meter,
            limit=self._limit,
            on_end=self._on_end,
            on_delivered=partial(self._on_delivered, config.name) if self._on_delivered else None,
        )
        self._current[config.name] = worker
        self._formatter.share = len(self._current) > 1
        worker.start()

    def _dismiss(self, worker: Worker) -> None:
        del self._current[worker.config.name]
        if worker.ended:  # closed, say: it has told its end already, and will not do so again
            self._left_at[worker.config.name] = worker.cursor
            return
        self._leaving[worker] = time.time()
        worker.abandon()

    def _is_leaving(self, name: str) -> bool:
        return any(worker.config.name == name for worker in self._leaving)


def _join(workers: Sequence[Worker], until: float) -> None:
    for worker in workers:
        worker.join(max(0.0, until - time.monotonic()))
