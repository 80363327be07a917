"""Answers over HTTP whether the daemon is alive and ready, with its metrics, and with the page."""

import asyncio
from collections.abc import Callable

from listener.observe import health, metrics
from listener.observe.facts import Facts
from listener.observe.http_server import HttpServer, Page, Request
from listener.observe.page.routes import Pages


class Site:
    """Serves probes, metrics and page at `address`, "host:port". Any thread may make it; the loop starts it."""

    def __init__(self, facts: Facts, address: str) -> None:
        self._facts, self._pages = facts, Pages(facts, address)
        probes = {"/healthz": self._alive, "/readyz": self._readiness, "/metrics": self._scrape}
        routes = {("GET", path): route for path, route in probes.items()} | self._pages.routes()
        self._server = HttpServer(address, routes)

    async def start(self) -> Callable[[], asyncio.BaseProtocol]:
        """Returns the factory of the connections' protocols."""
        return await self._server.start()

    async def close(self) -> None:
        """Ends the requests that are under way, within a second."""
        self._pages.close()
        await self._server.close()

    async def _alive(self, _: Request) -> Page:
        """Answers 200, which shows that the loop turns."""
        return Page(b"alive\n")

    async def _readiness(self, _: Request) -> Page:
        snapshot = await self._facts.snapshot()
        if snapshot.ready:
            return Page(b"ready\n")
        return Page("".join(f"{why}\n" for why in health.not_ready(snapshot)).encode(), 503)

    async def _scrape(self, _: Request) -> Page:
        snapshot = await self._facts.snapshot()
        text = await asyncio.to_thread(metrics.page, snapshot, self._facts.timings)
        return Page(text, content_type=metrics.CONTENT_TYPE)
