"""Builds a listener of the settings, and runs and stops it in order. A process may hold several.

At a stop the connection ends first, with a close frame, so that nothing new comes; then the sinks get what is
journalled, for at most 3 s; then whoever opened the journal closes it. All of it takes 5 s at most.
"""

import asyncio
import gc
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import NoReturn, Protocol, TypeVar

from listener.app.api_calls import ApiCalls
from listener.app.reload import Reloader
from listener.base.errors import ConfigError, CredentialsRefused, JournalError, ListenError, Unavailable
from listener.base.logs import get_logger
from listener.delivery.worker import Worker
from listener.delivery.workers import Workers
from listener.feishu.session import BadFrames, Session
from listener.feishu.transport import network_of
from listener.journal import Journal
from listener.observe.clients import ClientsState, watching
from listener.observe.facts import Facts, ObservedSource
from listener.observe.measure import Latencies
from listener.observe.observer import Observer
from listener.settings.config import Settings
from listener.settings.secrets import SecretKind
from listener.sources.long_connection import Backoff, ConnectionState, Supervisor
from listener.sources.receiver import Receiver

T = TypeVar("T")
DRAIN = 3.0  # seconds
CLOSE_CONNECTION = 1.5  # seconds
log = get_logger(__name__)


class EventSource(ObservedSource, Protocol):
    """What Running needs of a source, which is the Supervisor of a long connection or the Webhook."""

    on_change: Callable[[ConnectionState], None]

    async def run(self) -> NoReturn: ...
    def reload(self, settings: Settings) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """The ends of a bounded run: so many events delivered to every sink, so many seconds. None means no bound."""

    max_events: int | None = None
    seconds: float | None = None


class Running:
    """One listener, made in a running event loop. It touches nothing that concerns the whole process.

        with opened(settings) as journal:
            await Running(settings, journal).run()

    `journal` is open and started; who opened it closes it. `reread` reads the settings again at a reload; it blocks and
    raises ConfigError. `on_reload` is told of the settings that hold from then on.
    """

    def __init__(
        self,
        settings: Settings,
        journal: Journal,
        *,
        bounds: Bounds | None = None,
        backoff: Backoff | None = None,
        reread: Callable[[], Settings] | None = None,
        on_reload: Callable[[Settings], None] = lambda settings: None,
    ) -> None:
        self.settings, self._journal, self._on_reload = settings, journal, on_reload
        self._bounds, self._backoff = bounds or Bounds(), backoff or Backoff()
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._failure: BaseException | None = None
        timings = Latencies(histograms=settings.http.listen is not None)
        journal.writer.on_broken = self._thread_safe(self._broken)
        self._receiver = Receiver(journal, settings.feishu.events, timings.on_settled)
        self._calls = ApiCalls(settings, journal, lambda: self._source.state.phase == "connected")
        self._workers = Workers(
            journal,
            self._thread_safe(self._worker_ended),
            limit=self._bounds.max_events,
            on_delivered=timings.on_delivered,
            feishu=lambda: self.settings.feishu,
            view=self._calls.stage.view,
            meter=self._calls.meter,
        )
        self._source = self._new_source()
        self.clients = ClientsState(settings.feishu.expected_clients)
        self._facts = Facts(settings, journal, self._receiver, self._source, self._workers, timings, self.clients)
        self._observer = Observer(self._facts)
        self._source.on_change = self._changed
        self._reloader = Reloader(
            settings, reread or (lambda: self.settings), self._apply, self._observer.watchdog.reloading
        )

    @property
    def delivered(self) -> int:
        """Returns how many events every sink has got in this run."""
        return min(worker.state.delivered for worker in self._workers)

    def stop(self) -> None:
        """Stops the listener as SIGTERM does; may be called from any thread."""
        with suppress(RuntimeError):  # the loop is closed: it has stopped
            self._loop.call_soon_threadsafe(self._stop.set)

    def reload(self) -> None:
        """Reloads the settings as SIGHUP does; must be called in the loop."""
        self._reloader.ask()

    async def run(self) -> None:
        """Runs until it is stopped or its bounds are reached. Raises ListenError where it can't go on."""
        every = self.settings.feishu.check_clients_every
        self._calls.start()
        self._workers.start(self.settings.sinks)  # last: from here on a stop must keep the cursors
        async with self._observer, watching(self.clients, self._online_clients(), self._two_at_once, every):
            listening = asyncio.ensure_future(self._source.run())
            await self._until_stopped(listening)
            self._observer.notifier.stopping()
            await self._close_connection(listening)
            await asyncio.to_thread(self._calls.backfiller.stop)
            late = await self._workers.drain(DRAIN)
            await asyncio.to_thread(self._calls.stop)
            if late:
                log.warning("stopped before these sinks had everything; they get it at the next start", sinks=late)
        if self._failure is not None:
            raise self._failure

    def _new_source(self) -> EventSource:
        if self.settings.source.type == "long-connection":
            return self._new_supervisor()
        from listener.sources.webhook import new_webhook  # loads aiohttp

        return new_webhook(self.settings, self._receiver)

    def _online_clients(self) -> Callable[[], int] | None:
        """Returns a blocking call that asks the platform for the number of clients; None for a webhook."""
        feishu = self.settings.feishu
        if self.settings.source.type == "webhook" or feishu.check_clients_every is None:
            return None
        network_of(feishu)  # raises at the start what only a person can correct
        return self._calls.online_clients

    def _two_at_once(self) -> bool:
        """Returns whether a renewal makes the platform count one client more than there are."""
        return isinstance(self._source, Supervisor) and self._source.renewal.two_at_once

    def _new_supervisor(self) -> Supervisor:
        feishu, slow = self.settings.feishu, self.settings.feishu.slow_retry
        network, bad_frames = network_of(feishu), BadFrames()

        def new_session() -> Session:
            gc.collect()  # a TLS connection leaves 0.9 MB in cycles, of objects too few to reach COLLECT_EVERY
            try:
                secret = self.settings.feishu.app_secret.read()  # a reload may have changed its place
            except ConfigError as e:
                raise CredentialsRefused(str(e), cause="credentials", hint=e.hint) from e
            return Session(feishu.app_id, secret, feishu.domain, self._receiver, network=network, bad_frame=bad_frames)

        return Supervisor(
            new_session,
            backoff=replace(self._backoff, slow_initial=slow.min_delay, slow_max=slow.max_delay),
            secret_is_snapshot=feishu.app_secret.kind is SecretKind.CREDENTIAL,
            renew_every=feishu.renew_every,
        )

    async def _until_stopped(self, listening: "asyncio.Task[NoReturn]") -> None:
        stopping = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait([listening, stopping], timeout=self._bounds.seconds, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if listening.done():
            self._failure = listening.exception()  # one that is no ListenError is a bug, and told with a traceback
        elif self._bounds.seconds is not None and self._source.state.connections == 0:
            because = self._source.state.lost_because or "no answer so far"
            late = Unavailable(f"not connected within {self._bounds.seconds:g} s: {because}")
            self._failure = self._failure or late

    async def _close_connection(self, listening: "asyncio.Task[NoReturn]") -> None:
        """Cancels the listening task, on whose way out the session sends its close frame."""
        listening.cancel()
        await asyncio.wait({listening}, timeout=CLOSE_CONNECTION)

    def _changed(self, state: ConnectionState) -> None:
        self._observer.watchdog.changed(state)
        self._calls.backfiller.wake()

    def _worker_ended(self, worker: Worker) -> None:
        if self._workers.left(worker):
            return
        if worker.died:
            self._failure = ListenError(f"the sink {worker.config.name} failed in a way that it should not")
        sinks = list(self._workers)
        if worker.died or (sinks and all(w.ended for w in sinks) and not self._workers.overdue()):
            self._stop.set()

    def _broken(self, error: BaseException) -> None:
        known = isinstance(error, JournalError)
        self._failure = error if known else JournalError(f"the journal's writer ended: {error}")
        self._stop.set()

    async def _apply(self, settings: Settings) -> None:
        """Applies what can change while events flow; the sinks first, since that alone may fail."""
        await self._workers.change(settings.sinks)
        self._source.reload(settings)
        self._calls.reload(settings)
        self._journal.limit(settings.journal.keep, settings.journal.max_size)
        self.settings = self._facts.settings = settings
        self._on_reload(settings)

    def _thread_safe(self, callback: Callable[[T], None]) -> Callable[[T], None]:
        def call(argument: T) -> None:
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(callback, argument)

        return call
