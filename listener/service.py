"""The composition root: builds both halves, waits, and stops them in order.

Stop: the connection first, with a close frame, so that nothing new comes; then the sinks get what is journalled, for at
most 3 s; then the journal. All of it within 5 s.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn, TypeVar

from listener.config import Settings
from listener.delivery import Formatter, Worker
from listener.errors import ConfigError, CredentialsRefused, JournalError, ListenError, Unavailable
from listener.feishu.network import network_of
from listener.feishu.session import Session
from listener.journal import Journal
from listener.logs import get_logger
from listener.receive import Receiver
from listener.settings.secrets import SecretKind
from listener.signals import handled
from listener.sinks import new_sink
from listener.supervisor import Backoff, Supervisor
from listener.threads import DaemonExecutor

T = TypeVar("T")
DRAIN = 3.0  # seconds
CLOSE_CONNECTION = 1.5  # seconds
log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Ends of a bounded run: events delivered to every sink, seconds. None: until stopped."""

    max_events: int | None = None
    seconds: float | None = None


@dataclass
class Service:
    """`run()` once. Raises ListenError where the daemon can't go on."""

    settings: Settings
    bounds: Bounds = field(default_factory=Bounds)
    backoff: Backoff = field(default_factory=Backoff)

    def run(self) -> None:
        """Blocks until it is stopped, or its bounds are reached."""
        self._journal = self._open_journal()
        try:
            asyncio.run(self._main())
        finally:
            if not self._journal.close():
                log.error("the journal did not finish in time; what was not acked is pushed again")

    def _open_journal(self) -> Journal:
        wanted = self.settings.journal
        journal = Journal(wanted.path, keep_s=wanted.keep, max_size=wanted.max_size)
        journal.start()
        return journal

    async def _main(self) -> None:
        asyncio.get_running_loop().set_default_executor(DaemonExecutor())
        self._stop = asyncio.Event()
        self._failure: ListenError | None = None
        self._abandon = threading.Event()
        self._receiver = Receiver(self._journal, self.settings.feishu.events)
        self._journal.writer.on_broken = self._thread_safe(self._broken)
        self._workers = self._start_workers()
        self._supervisor = self._new_supervisor()
        with handled(self._stop.set, self._reload):
            supervising = asyncio.ensure_future(self._supervisor.run())
            await self._until_stopped(supervising)
            await self._close_connection(supervising)
            await self._drain()
        if self._failure is not None:
            raise self._failure

    def _start_workers(self) -> list[Worker]:
        sinks = self.settings.sinks
        cursors = self._journal.attach((sink.name, sink.start == "earliest") for sink in sinks)
        formatter = Formatter(share=len(sinks) > 1)
        ended = self._thread_safe(self._worker_ended)
        workers = [
            Worker(
                config,
                new_sink(config, self._abandon),
                self._journal,
                cursors[config.name],
                formatter=formatter,
                abandon=self._abandon,
                limit=self.bounds.max_events,
                on_end=ended,
            )
            for config in sinks
        ]
        for worker in workers:
            worker.start()
        return workers

    def _new_supervisor(self) -> Supervisor:
        feishu = self.settings.feishu
        network = network_of(feishu)

        def new_session() -> Session:
            try:
                secret = feishu.app_secret.read()
            except ConfigError as e:
                raise CredentialsRefused(str(e), cause="credentials", hint=e.hint) from e
            return Session(feishu.app_id, secret, feishu.domain, self._receiver, network=network)

        return Supervisor(
            new_session,
            backoff=self.backoff,
            secret_is_snapshot=feishu.app_secret.kind is SecretKind.CREDENTIAL,
        )

    async def _until_stopped(self, supervising: "asyncio.Task[NoReturn]") -> None:
        stopping = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait([supervising, stopping], timeout=self.bounds.seconds, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if supervising.done() and not supervising.cancelled():
            error = supervising.exception()
            if not isinstance(error, ListenError):
                raise error or AssertionError("the supervisor returned")
            self._failure = error
        elif self.bounds.seconds is not None and self._supervisor.state.connections == 0:
            self._failure = self._failure or Unavailable(
                f"not connected within {self.bounds.seconds:g} s: {self._supervisor.state.lost_because}"
            )

    async def _close_connection(self, supervising: "asyncio.Task[NoReturn]") -> None:
        """The session's own close frame is sent on the way out of the cancelled task."""
        supervising.cancel()
        await asyncio.wait({supervising}, timeout=CLOSE_CONNECTION)

    async def _drain(self) -> None:
        until = time.monotonic() + DRAIN
        for worker in self._workers:
            worker.stop()
        for worker in self._workers:
            await asyncio.to_thread(worker.join, max(0.0, until - time.monotonic()))
        self._abandon.set()
        if late := [w.config.name for w in self._workers if not w.join(0.2)]:
            log.warning("stopped before these sinks had everything; they get it at the next start", sinks=late)

    def _worker_ended(self, worker: Worker) -> None:
        if worker.died:
            self._failure = ListenError(f"the sink {worker.config.name} failed in a way that it should not")
        if worker.died or all(w.ended for w in self._workers):
            self._stop.set()

    def _broken(self, error: BaseException) -> None:
        self._failure = JournalError(f"the journal's writer ended: {error}")
        self._stop.set()

    def _reload(self) -> None:
        for worker in self._workers:
            worker.sink.reopen()

    def _thread_safe(self, callback: Callable[[T], None]) -> Callable[[T], None]:
        loop = asyncio.get_running_loop()

        def call(argument: T) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(callback, argument)

        return call
