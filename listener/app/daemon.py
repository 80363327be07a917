"""The composition root: builds both halves, waits, and stops them in order.

Stop: the connection first, with a close frame, so that nothing new comes; then the sinks get what is journalled, for at
most 3 s; then the journal. All of it within 5 s.
"""

import asyncio
import gc
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import NoReturn, Protocol, TypeVar

from listener.app.calls import Calls
from listener.app.reload import Reloader
from listener.app.signals import handled
from listener.base.errors import ConfigError, CredentialsRefused, JournalError, ListenError, Unavailable
from listener.base.logs import configure, get_logger
from listener.base.threads import DaemonExecutor
from listener.delivery.worker import Worker
from listener.delivery.workers import Workers
from listener.feishu.network import network_of
from listener.feishu.session import BadFrames, Session
from listener.journal import Journal
from listener.observe.clients import ClientsState, watching
from listener.observe.facts import Facts
from listener.observe.facts import Source as Watched
from listener.observe.measure import Timings
from listener.observe.observer import Observer
from listener.settings.config import Settings
from listener.settings.secrets import SecretKind
from listener.sources.long_connection import Backoff, ConnectionState, Supervisor
from listener.sources.receiver import Receiver

T = TypeVar("T")
DRAIN = 3.0  # seconds
CLOSE_CONNECTION = 1.5  # seconds
COLLECT_EVERY = 10_000  # objects; Python's 700 walk through what waits for its ack too often, for 5 to 10 % of the CPU
SWITCH_INTERVAL = 0.0005  # seconds; Python's 5 ms: ack p99 of 8 ms while a sink catches up, instead of 3
log = get_logger(__name__)


class Source(Watched, Protocol):
    """The same, to be run: the Supervisor of a long connection, or the Webhook."""

    on_change: Callable[[ConnectionState], None]

    async def run(self) -> NoReturn: ...
    def reload(self, settings: Settings) -> None: ...


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
    reread: Callable[[], Settings] | None = None  # at SIGHUP; blocks, raises ConfigError

    @property
    def delivered(self) -> int:
        """Events that every sink has got in this run."""
        return min(worker.state.delivered for worker in self._workers)

    def run(self) -> None:
        """Blocks until it is stopped, or its bounds are reached."""
        sys.setswitchinterval(SWITCH_INTERVAL)
        gc.set_threshold(COLLECT_EVERY)
        gc.freeze()  # what is there by now stays: a later look need not walk through it
        self._journal = self._open_journal()
        try:
            asyncio.run(self._main())
        finally:
            if not self._journal.close():
                log.error("the journal did not finish in time; what was not acked is pushed again")

    def stop(self) -> None:
        """From any thread, once it runs: as SIGTERM does."""
        with suppress(RuntimeError):  # the loop is closed: it has stopped
            self._loop.call_soon_threadsafe(self._stop.set)

    def _open_journal(self) -> Journal:
        wanted = self.settings.journal
        journal = Journal(wanted.path, keep_s=wanted.keep, max_size=wanted.max_size)
        journal.start()
        return journal

    async def _main(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._loop.set_default_executor(DaemonExecutor())
        self._failure: BaseException | None = None
        self._build()
        observer, reread = Observer(self._facts), self.reread or (lambda: self.settings)
        self._supervisor.on_change = observer.pulse.changed
        reloader = Reloader(self.settings, reread, self._apply, observer.pulse.reloading)
        every = self.settings.feishu.check_clients_every
        with handled(self._stop.set, reloader.ask):
            self._workers.start(self.settings.sinks)  # not before: what they deliver, a stop must keep the cursors of
            self._calls.backfiller.start()
            async with observer, watching(self.clients, self._online_clients(), self._two_at_once, every):
                supervising = asyncio.ensure_future(self._supervisor.run())
                await self._until_stopped(supervising)
                observer.notifier.stopping()
                await self._close_connection(supervising)
                await asyncio.to_thread(self._calls.backfiller.stop)
                if late := await self._workers.drain(DRAIN):
                    log.warning("stopped before these sinks had everything; they get it at the next start", sinks=late)
        if self._failure is not None:
            raise self._failure

    def _build(self) -> None:
        """Both halves, and what is known of them."""
        settings, journal = self.settings, self._journal
        timings = Timings(histograms=settings.http.listen is not None)
        journal.writer.on_broken = self._thread_safe(self._broken)
        self._receiver = Receiver(journal, settings.feishu.events, timings.on_settled)
        ended = self._thread_safe(self._worker_ended)
        self._workers = Workers(
            journal,
            ended,
            limit=self.bounds.max_events,
            on_delivered=timings.on_delivered,
            feishu=lambda: self.settings.feishu,
        )
        self._supervisor = self._new_source()
        self.clients = ClientsState(settings.feishu.expected_clients)
        self._calls = Calls(settings, journal, lambda: self._supervisor.state.phase == "connected")
        self._facts = Facts(settings, journal, self._receiver, self._supervisor, self._workers, timings, self.clients)

    def _new_source(self) -> Source:
        if self.settings.source.type == "long-connection":
            return self._new_supervisor()
        from listener.sources.webhook import new_webhook  # its library is an extra

        return new_webhook(self.settings, self._receiver)

    def _online_clients(self) -> Callable[[], int] | None:
        """Asks the platform; blocks. A webhook has no clients."""
        feishu = self.settings.feishu
        if self.settings.source.type == "webhook" or feishu.check_clients_every is None:
            return None
        network_of(feishu)  # raises what only a person can mend, at the start
        return self._calls.online_clients

    def _two_at_once(self) -> bool:
        """Whether a renewal makes the platform count one client more than there are."""
        return isinstance(self._supervisor, Supervisor) and self._supervisor.renewal.two_at_once

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
            backoff=replace(self.backoff, slow_initial=slow.min_delay, slow_max=slow.max_delay),
            secret_is_snapshot=feishu.app_secret.kind is SecretKind.CREDENTIAL,
            renew_every=feishu.renew_every,
        )

    async def _until_stopped(self, supervising: "asyncio.Task[NoReturn]") -> None:
        stopping = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait([supervising, stopping], timeout=self.bounds.seconds, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if supervising.done():
            self._failure = supervising.exception()  # one that is no ListenError is a bug, and told with a traceback
        elif self.bounds.seconds is not None and self._supervisor.state.connections == 0:
            self._failure = self._failure or Unavailable(
                f"not connected within {self.bounds.seconds:g} s: {self._supervisor.state.lost_because}"
            )

    async def _close_connection(self, supervising: "asyncio.Task[NoReturn]") -> None:
        """The session's own close frame is sent on the way out of the cancelled task."""
        supervising.cancel()
        await asyncio.wait({supervising}, timeout=CLOSE_CONNECTION)

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
        """What can change while events flow; the sinks first, since that alone may fail."""
        await self._workers.change(settings.sinks)
        self._supervisor.reload(settings)
        self._calls.reload(settings)
        configure(settings.log.level, settings.log.format)
        self._journal.limit(settings.journal.keep, settings.journal.max_size)
        self.settings = self._facts.settings = settings

    def _thread_safe(self, callback: Callable[[T], None]) -> Callable[[T], None]:
        loop = asyncio.get_running_loop()

        def call(argument: T) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(callback, argument)

        return call
