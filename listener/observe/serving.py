"""Listens for HTTP from the start, and loads what answers, 10 MB of libraries, when somebody first connects.

Connections that come before it is loaded are held, unread. It is loaded in a thread, so that acks go on meanwhile.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from listener.base.accepting import serve
from listener.base.logs import get_logger
from listener.observe.facts import Facts

if TYPE_CHECKING:
    from listener.observe.site import Site

HELD = 256  # connections; those beyond are reset, and a browser asks again
log = get_logger(__name__)


class Served:
    """Listens at `address`, "host:port", in the loop. `load` blocks, and returns the site that answers."""

    def __init__(self, facts: Facts, address: str, load: "Callable[[Facts, str], Site] | None" = None) -> None:
        self._facts, self._address, self._load_site = facts, address, load or _site
        self._server: asyncio.Server | None = None
        self._held: set[asyncio.Transport] = set()
        self._loading: asyncio.Task[None] | None = None
        self._site: Site | None = None
        self._new_protocol: Callable[[], asyncio.BaseProtocol] | None = None

    async def start(self) -> None:
        """Listens. Where the port is taken, the daemon goes on listening for events and logs an error."""
        try:
            self._server = await serve(self._new, self._address)
        except OSError as e:
            what = "http.listen can't be used: no page, no health checks, no metrics"
            log.error(what, address=self._address, because=str(e))  # noqa: TRY400 the reason says it all
        else:
            log.info("the page, health checks and metrics are served", page=f"http://{self._address}/")

    async def close(self) -> None:
        """Ends the requests that are under way, within a second."""
        if self._server is not None:
            self._server.close()
        if self._loading is not None:
            self._loading.cancel()
        self._drop_held()
        if self._site is not None:
            await self._site.close()

    def came(self, transport: asyncio.Transport) -> None:
        """Hands a connection to the site, or holds it until the site is loaded."""
        if self._new_protocol is not None:
            _hand_over(transport, self._new_protocol)
        elif len(self._held) >= HELD:
            transport.abort()
        else:
            transport.pause_reading()
            self._held.add(transport)
            if self._loading is None or self._loading.done():
                self._loading = asyncio.ensure_future(self._load())

    def left(self, transport: asyncio.Transport) -> None:
        """Forgets a connection that ended before it was answered."""
        self._held.discard(transport)

    def _new(self) -> asyncio.BaseProtocol:
        return self._new_protocol() if self._new_protocol is not None else _Held(self)

    async def _load(self) -> None:
        try:
            self._site = await asyncio.to_thread(self._load_site, self._facts, self._address)
            self._new_protocol = await self._site.start()
        except Exception:
            log.exception("what answers HTTP requests can't be loaded; it is tried again with the next one")
            self._drop_held()
        else:
            for transport in self._held:
                _hand_over(transport, self._new_protocol)
            self._held.clear()

    def _drop_held(self) -> None:
        for transport in self._held:
            transport.abort()
        self._held.clear()


class _Held(asyncio.Protocol):
    """The protocol of a connection until the site is loaded."""

    def __init__(self, served: Served) -> None:
        self._served = served

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._served.came(self._transport)

    def connection_lost(self, _: Exception | None) -> None:
        self._served.left(self._transport)


def _hand_over(transport: asyncio.Transport, new_protocol: Callable[[], asyncio.BaseProtocol]) -> None:
    protocol = new_protocol()
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    transport.resume_reading()


def _site(facts: Facts, address: str) -> "Site":
    """Loads the libraries and returns the site; runs in a thread."""
    from listener.observe.site import Site

    return Site(facts, address)
