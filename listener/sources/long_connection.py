"""Keeps one session open: opens it, listens, and when it ends decides when to try again. It knows no SDK.

A session proves itself by living 5 s or by bringing an event; then its end costs one prompt new attempt, jittered so
that a restart of the platform is not met by all its clients at once. Everything else backs off with full jitter.
"""

import asyncio
import copy
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import NoReturn, Protocol

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_random_exponential
from tenacity.wait import wait_base

from listener.base.clock import next_beat, suspended_seconds
from listener.base.errors import CredentialsRefused, Pace, RestartNeeded, SessionError
from listener.base.logs import RateLimit, get_logger
from listener.settings.config import Settings
from listener.sources.renewal import Renewal
from listener.sources.silence import SilenceDetector

LOOK = 2.5  # seconds between two looks at the clocks and at the number of events
SLEPT = 2.0  # seconds of suspension that are worth a ping
log = get_logger(__name__)


class SupervisedSession(Protocol):
    """One connection; feishu/session.py has the real one."""

    @property
    def reconnect_nonce(self) -> float: ...
    @property
    def connection_id(self) -> str: ...
    @property
    def delivered(self) -> int: ...
    @property
    def fresh(self) -> bool: ...
    @property
    def round_trip(self) -> float | None: ...
    async def open(self) -> None: ...
    async def listen(self) -> NoReturn: ...
    @property
    def unanswered(self) -> int: ...
    async def proven(self) -> None: ...
    async def next_event(self, within: float) -> None: ...
    def probe(self) -> None: ...
    async def close(self) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Backoff:
    """The seconds between attempts. SOON grows gently: two dozen refusals in a row cost 10 s, the longest wait 8 s."""

    soon_initial: float = 0.25
    soon_base: float = 1.1
    soon_max: float = 8.0
    slow_initial: float = 5.0
    slow_max: float = 300.0
    proven_after: float = 5.0
    first_attempt_max: float = 5.0
    stale_secret_after: float = 300.0
    log_every: float = 60.0

    def strategies(self) -> dict[Pace, wait_base]:
        """Returns a strategy for each pace, with full jitter: a random time between 0 and the growing bound."""
        soon = wait_random_exponential(self.soon_initial, self.soon_max, exp_base=self.soon_base)
        slow = wait_random_exponential(self.slow_initial, self.slow_max)
        return {Pace.SOON: soon, Pace.SLOW: slow, Pace.FATAL: slow}


@dataclass
class ConnectionState:
    """What is true of the connection now; times are Unix seconds. Written by the supervisor alone."""

    phase: str = "starting"  # starting, connecting, connected, waiting, stopped
    since: float = field(default_factory=time.time)
    connected_since: float | None = None
    lost_because: str | None = None
    lost_at: float | None = None
    next_attempt_at: float | None = None
    attempts: int = 0  # since the last connection
    connections: int = 0
    renewals: int = 0
    losses: dict[str, int] = field(default_factory=dict)  # by cause
    progress: float = field(default_factory=time.monotonic)  # monotonic; when the supervisor last did something

    def enter(self, phase: str) -> None:
        now = time.time()
        self.connected_since = now if phase == "connected" else None
        self.phase, self.since, self.progress = phase, now, time.monotonic()


class Supervisor:
    """Keeps a connection open: opens it, renews it, and opens another when it is lost.

    `run()` never returns; it raises CredentialsRefused (only before the first connection) or RestartNeeded.
    """

    def __init__(
        self,
        new_session: Callable[[], SupervisedSession],
        *,
        backoff: Backoff | None = None,
        secret_is_snapshot: bool = False,
        on_change: Callable[[ConnectionState], None] = lambda state: None,
        renew_every: float | None = None,
        suspended: Callable[[], float] = suspended_seconds,
        pause: Callable[[float], Awaitable[None]] | None = None,
        silence: SilenceDetector | None = None,
    ) -> None:
        self.state = ConnectionState()
        self.session: SupervisedSession | None = None  # the one that is open
        self.renewal: Renewal[SupervisedSession] = Renewal(new_session, renew_every)
        self._suspended = suspended
        self._silence = silence or SilenceDetector()
        self._pause = pause or self._wait_for
        self._woke = asyncio.Event()
        self._new_session = new_session
        self._backoff = backoff or Backoff()
        self._strategies = self._backoff.strategies()
        self._secret_is_snapshot = secret_is_snapshot
        self.on_change = on_change
        self._streak: tuple[Pace, int] = (Pace.SOON, 0)
        self.refused_since: float | None = None  # monotonic; since when the platform has refused the secret
        self._limits: dict[str, RateLimit] = {}  # by cause, since the last connection

    def reload(self, settings: Settings) -> None:
        """Takes over the settings that can change while the connection is open."""
        self.renewal.every = settings.feishu.renew_every

    async def run(self) -> NoReturn:
        watching = asyncio.ensure_future(self._watch())
        try:
            while True:
                async for attempt in AsyncRetrying(
                    retry=retry_if_exception(self._may_pass), wait=self._wait, sleep=self._pause, reraise=True
                ):
                    with attempt:
                        await self._one_session()
                self._streak = (Pace.SOON, 0)
        finally:
            watching.cancel()
            self._enter("stopped")

    async def _watch(self) -> NoReturn:
        """Watches for what no connection tells by itself: the machine slept, or events have stopped coming."""
        before = self._suspended()
        while True:
            await next_beat(LOOK)
            slept = self._suspended() - before
            before += slept
            if slept >= SLEPT:
                self._wake(slept)
            if self._silence.look(self.session.delivered if self.session else None, time.monotonic()):
                log.info("unusually long without an event; the connection is renewed")
                self.renewal.hasten()

    def _wake(self, slept: float) -> None:
        """Ends all waits after the machine was suspended, since the old connection is probably gone."""
        log.info("this machine slept; the connection is probed", seconds=round(slept))
        self._woke.set()
        if self.session is not None:
            self.session.probe()

    async def _one_session(self) -> None:
        """Returns once a connection that had proved itself is lost; raises what prevented one from coming so far."""
        self.state.attempts += 1
        self.state.next_attempt_at = None
        self._enter("connecting")
        opened = time.monotonic()
        session: SupervisedSession | None = None
        try:
            session = self._new_session()
            await session.open()
            opened = time.monotonic()
            self._connected(session)
            await self.renewal.hold(session, self._renewed)
        except SessionError as e:
            proved = self.session is not None and self._proved(self.session, opened)
            self._lost(e)
            if session is None or not proved:
                raise
        finally:
            self.session = None
            if session is not None:
                await session.close()
        await self._pause(random.uniform(0, min(session.reconnect_nonce, self._backoff.first_attempt_max)))

    def _proved(self, session: SupervisedSession, opened: float) -> bool:
        return time.monotonic() - opened >= self._backoff.proven_after or session.delivered > 0

    def _connected(self, session: SupervisedSession) -> None:
        log.info("connected: ready", connection=session.connection_id, attempts=self.state.attempts)
        self.session = session
        self.state.connections += 1
        self.state.attempts = 0
        self.refused_since = None
        self._limits.clear()
        self._enter("connected")

    def _renewed(self, session: SupervisedSession) -> None:
        self.session = session
        self.state.renewals += 1
        log.info("connection renewed", connection=session.connection_id, renewals=self.state.renewals)

    def _lost(self, error: SessionError) -> None:
        self.state.losses[error.cause] = self.state.losses.get(error.cause, 0) + 1
        self.state.lost_because = str(error)
        if self.session is not None or self.state.lost_at is None:
            self.state.lost_at = time.time()
        self._tell(error)
        self._watch_refusals(error)

    def _tell(self, error: SessionError) -> None:
        """Logs a failure: a line for each new reason, then one a minute while it lasts."""
        limit = self._limits.setdefault(error.cause, RateLimit(1, self._backoff.log_every))
        if limit.take() is None:
            return
        tell = log.error if error.pace is not Pace.SOON else log.warning
        what = "connection lost" if self.session is not None else "cannot connect"
        tell(what, because=str(error), cause=error.cause, attempts=self.state.attempts, hint=error.hint)

    def _watch_refusals(self, error: SessionError) -> None:
        """Raises RestartNeeded where only a restart can refresh systemd's copy of a refused credential."""
        if not isinstance(error, CredentialsRefused):
            return
        self.refused_since = self.refused_since or time.monotonic()
        if self._secret_is_snapshot and self._until_stale() <= 0:
            raise RestartNeeded(
                f"the platform has refused the secret for {self._backoff.stale_secret_after:.0f} s, "
                "and it is systemd's copy",
                hint="a restart reads the credential's source again",
            )

    def _until_stale(self) -> float:
        """Returns the seconds until a systemd credential that is refused counts as stale."""
        since = self.refused_since if self.refused_since is not None else time.monotonic()
        return since + self._backoff.stale_secret_after - time.monotonic()

    def _may_pass(self, error: BaseException) -> bool:
        if not isinstance(error, SessionError):
            return False
        return error.pace is not Pace.FATAL or self.state.connections > 0

    def _wait(self, retry_state: RetryCallState) -> float:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        pace = error.pace if isinstance(error, SessionError) else Pace.SOON
        self._streak = (pace, self._streak[1] + 1 if self._streak[0] is pace else 1)
        counted = copy.copy(retry_state)
        counted.attempt_number = self._streak[1]  # an old streak at another pace does not count
        seconds = self._strategies[pace](counted)
        return min(seconds, max(0.0, self._until_stale())) if self._secret_is_snapshot else seconds

    async def _wait_for(self, seconds: float) -> None:
        """Waits for the next attempt, or until the machine wakes up."""
        self.state.next_attempt_at = time.time() + seconds
        self._enter("waiting")
        self._woke.clear()
        pausing, waking = asyncio.ensure_future(asyncio.sleep(seconds)), asyncio.ensure_future(self._woke.wait())
        try:
            await asyncio.wait({pausing, waking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            pausing.cancel()
            waking.cancel()

    def _enter(self, phase: str) -> None:
        self.state.enter(phase)
        self.on_change(self.state)
