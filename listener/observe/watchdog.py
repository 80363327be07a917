"""Looks at the daemon every few seconds, and reports to systemd: the watchdog, readiness, the status line.

The watchdog is fed from the loop, so a frozen loop starves it, and only while the parts that must progress do.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from listener.base.clock import next_beat
from listener.base.logs import get_logger
from listener.base.systemd import Notifier
from listener.observe.facts import Facts
from listener.observe.health import connection_line, one_line
from listener.sources.long_connection import ConnectionState

EVERY, LOOK = 2.5, 30.0  # seconds between looks at itself, and at the disk where nothing fails
log = get_logger(__name__)


class Watchdog:
    """Feeds systemd's watchdog and keeps its status line, from a look at the daemon every few seconds.

    `changed` and `run` are called in the loop.
    """

    def __init__(self, facts: Facts, notifier: Notifier) -> None:
        self._facts, self._notifier = facts, notifier
        self._every = min(EVERY, (notifier.watchdog or 2 * EVERY) / 2)
        self._ready = False
        self._stalled = self._said = ""

    def changed(self, state: ConnectionState) -> None:
        """Notes a change of the connection; once connected, or failed in a way that may pass, the service is ready."""
        if not self._ready and state.phase in ("connected", "waiting"):
            self._ready = True
            self._tell_ready()

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """Tells systemd that a reload is under way and, after its block, that the service is ready again."""
        if self._ready:
            self._notifier.reloading()
        try:
            yield
        finally:
            if self._ready:
                self._tell_ready()

    def _tell_ready(self) -> None:
        self._notifier.ready(connection_line(self._facts.connection()))

    async def run(self) -> NoReturn:
        while True:
            try:
                await self._beat()
            except Exception:  # an error in looking is no reason to stop listening
                log.exception("the daemon can't tell its own state")
            await next_beat(self._every)

    async def _beat(self) -> None:
        self._feed_watchdog()
        self._facts.tick()
        line = one_line(await self._facts.snapshot(LOOK))
        if line != self._said:
            self._said = line
            self._notifier.status(line)

    def _feed_watchdog(self) -> None:
        stalled = self._facts.stalled()
        if not stalled:
            self._notifier.alive()
        elif stalled != self._stalled:
            log.error("a part of the daemon stands still: the watchdog is not fed any more", part=stalled)
        self._stalled = stalled
