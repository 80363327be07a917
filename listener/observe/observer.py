"""What looks at the daemon and lets others look: watchdog, status socket, HTTP. Nothing of it is needed to listen."""

import asyncio
from typing import Self

from listener.base.systemd import Notifier
from listener.observe import health
from listener.observe.control import Control
from listener.observe.facts import Facts
from listener.observe.http import HttpServer, Page, Route
from listener.observe.pulse import Pulse


class Observer:
    """An async context: inside it the daemon can be watched."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self.notifier = Notifier()
        self.pulse = Pulse(facts, self.notifier)
        self._control = Control(facts.journal.path, self._document)
        address = facts.settings.http.listen
        self._http = HttpServer(address, self._routes()) if address else None

    async def __aenter__(self) -> Self:
        await self._control.start()
        if self._http:
            await self._http.start()
        self._beating = asyncio.ensure_future(self.pulse.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._beating.cancel()
        self._control.close()
        if self._http:
            self._http.close()

    async def _document(self) -> bytes:
        return health.encode(await self._facts.snapshot())

    async def _readiness(self) -> Page:
        snapshot = await self._facts.snapshot()
        if snapshot.ready:
            return Page(b"ready\n")
        return Page("".join(f"{why}\n" for why in health.not_ready(snapshot)).encode(), 503)

    def _routes(self) -> dict[str, Route]:
        from listener.observe import metrics  # prometheus-client, which only a scrape needs: 0.1 s

        async def scrape() -> Page:
            snapshot = await self._facts.snapshot()
            text = await asyncio.to_thread(metrics.page, snapshot, self._facts.timings)
            return Page(text, content_type=metrics.CONTENT_TYPE)

        return {"/healthz": _alive, "/readyz": self._readiness, "/metrics": scrape}


async def _alive() -> Page:
    """That it is answered at all says that the loop turns."""
    return Page(b"alive\n")
