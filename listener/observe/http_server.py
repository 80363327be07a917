"""Serves HTTP for probes, scrapes and the page; the only file of this package that imports aiohttp.

It answers from the loop that receives events, so a frozen daemon does not answer. Everything is bounded: connections,
the bytes of a request, the seconds that a peer may take to ask or to read. A route gets a Request of ours and returns a
Page of ours; a Page whose body is an iterator is a stream, sent piece by piece.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from aiohttp import web

from listener.base.logs import RateLimit, get_logger
from listener.base.web import Complaints, capped
from listener.observe.hosts import is_ours

SECONDS = 5.0  # for the head of a request, for its body, and for the peer to take each piece of the answer
BODY = 64 * 1024  # bytes of a POST
STOP = 0.5  # seconds that requests under way have at the end
TEXT = "text/plain; charset=utf-8"
HEADERS = {
    "Cache-Control": "no-store",
    "Server": "helpdesk-listen",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}
log = get_logger(__name__)


@dataclass(frozen=True)
class Request:
    """What a route may know of a request. `peer` is the other end's address; `host` is as it came, with its port."""

    method: str
    path: str
    host: str = ""
    peer: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Page:
    """An answer to an HTTP request; a body that is an iterator is streamed."""

    body: bytes | AsyncIterator[bytes]
    code: int = 200
    content_type: str = TEXT
    headers: Mapping[str, str] = field(default_factory=dict)


Route = Callable[[Request], Awaitable[Page]]


class HttpServer:
    """Answers HTTP requests by `routes`, which maps (method, path) to the function that answers.

    `address` is "host:port", where another server listens and hands the connections over.
    """

    def __init__(self, address: str, routes: Mapping[tuple[str, str], Route]) -> None:
        self.address = address
        self._routes = routes
        self._paths = {path for _, path in routes}
        self._limit = RateLimit()
        self._answering: set[object] = set()  # connections with a whole request: they are not closed to make room
        self._runner: web.ServerRunner | None = None

    async def start(self) -> Callable[[], asyncio.BaseProtocol]:
        """Returns the factory of the connections' protocols."""
        server = web.Server(
            self._serve,
            handler_cancellation=True,
            access_log=None,
            logger=Complaints(self._complain).logger,
            keepalive_timeout=SECONDS,
            lingering_time=1.0,
            auto_decompress=False,
        )
        self._runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=STOP)
        await self._runner.setup()
        return capped(server, self._answering)

    async def close(self) -> None:
        """Ends the requests that are under way, within a second."""
        if self._runner is not None:
            await self._runner.cleanup()

    def _complain(self, because: str, _status: int) -> None:
        if (more := self._limit.take()) is not None:
            log.info("an HTTP request makes no sense", because=because, more_since_last=more or None)

    async def _serve(self, came: web.BaseRequest) -> web.StreamResponse:
        try:
            page = await self._page(came)
            if not isinstance(page.body, bytes) and came.method == "HEAD":
                page = plain(HTTPStatus.OK)  # a stream's head alone
            if isinstance(page.body, bytes):
                return await _send(came, page, page.body)
            return await _stream(came, page, page.body)
        except TimeoutError:  # the peer does not read
            if came.transport is not None:
                came.transport.abort()
            raise ConnectionResetError from None
        finally:
            self._answering.discard(came.protocol)

    async def _page(self, came: web.BaseRequest) -> Page:
        host = came.headers.get("Host", "")
        if len(came.headers.getall("Host", ())) > 1 or not is_ours(host, self.address):
            return plain(HTTPStatus.MISDIRECTED_REQUEST)
        method = "GET" if came.method == "HEAD" else came.method
        route = self._routes.get((method, came.path))
        if route is None:
            known = came.path in self._paths
            return plain(HTTPStatus.METHOD_NOT_ALLOWED if known else HTTPStatus.NOT_FOUND)
        return await self._answer(route, came, method)

    async def _answer(self, route: Route, came: web.BaseRequest, method: str) -> Page:
        try:
            body = await _body(came) if method == "POST" else b""
            if body is None:
                return plain(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            self._answering.add(came.protocol)
            return await route(_request(came, method, body))
        except (ConnectionError, web.RequestPayloadError, asyncio.CancelledError):
            raise
        except TimeoutError:
            return plain(HTTPStatus.REQUEST_TIMEOUT)
        except Exception:
            log.exception("an HTTP request failed", path=came.path)
            return plain(HTTPStatus.INTERNAL_SERVER_ERROR)


def plain(status: HTTPStatus, text: str = "") -> Page:
    """Returns an answer with this text, or with the status in words, on one line."""
    return Page(f"{text or status.phrase}\n".encode(), status.value)


def _request(came: web.BaseRequest, method: str, body: bytes) -> Request:
    transport = came.transport
    peer: Any = transport.get_extra_info("peername") if transport else None
    return Request(
        method=method,
        path=came.path,
        host=came.headers.get("Host", ""),
        peer=str(peer[0]) if peer else "",
        query=came.query,
        headers=came.headers,
        cookies=came.cookies,
        body=body,
    )


async def _body(came: web.BaseRequest) -> bytes | None:
    """Returns the body of a request, None where it is longer than BODY bytes."""
    body = bytearray()
    async with asyncio.timeout(SECONDS):
        async for chunk in came.content.iter_any():
            body += chunk
            if len(body) > BODY:
                return None
    return bytes(body)


async def _send(came: web.BaseRequest, page: Page, body: bytes) -> web.Response:
    headers = HEADERS | {"Content-Type": page.content_type} | dict(page.headers)
    response = web.Response(body=body, status=page.code, headers=headers)
    async with asyncio.timeout(SECONDS):
        await response.prepare(came)
        await response.write_eof()
    return response


async def _stream(came: web.BaseRequest, page: Page, pieces: AsyncIterator[bytes]) -> web.StreamResponse:
    """Sends the pieces until they end or the peer goes."""
    headers = HEADERS | {"Content-Type": page.content_type} | dict(page.headers)
    response = web.StreamResponse(status=page.code, headers=headers)
    response.force_close()
    await response.prepare(came)
    async with aclosing(pieces) as all_pieces:  # type: ignore[type-var]  # an async generator, which has aclose()
        async for piece in all_pieces:
            async with asyncio.timeout(SECONDS):
                await response.write(piece)
    with suppress(ConnectionError):
        await response.write_eof()
    return response
