"""A very small HTTP server for probes and scrapes: GET and HEAD of a few paths, one request a connection.

It answers from the loop that receives events, so a frozen daemon does not answer. Everything is bounded.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address
from urllib.parse import urlsplit

from listener.base.logs import get_logger

SECONDS = 5.0  # from the connection to the last byte of the answer
HEAD = 8192  # bytes of a request
CONNECTIONS = 32  # at once
TEXT = "text/plain; charset=utf-8"
log = get_logger(__name__)


@dataclass(frozen=True)
class Page:
    body: bytes
    code: int = 200
    content_type: str = TEXT


Route = Callable[[], Awaitable[Page]]


class HttpServer:
    """`routes` by path; `address` is "host:port"."""

    def __init__(self, address: str, routes: Mapping[str, Route]) -> None:
        self.address = address
        self._routes = routes
        self._server: asyncio.Server | None = None
        self._waiting: dict[asyncio.StreamWriter, None] = {}  # connections without a whole request, the oldest first

    async def start(self) -> None:
        """A daemon whose port is taken still listens for events: it says so, loudly, and goes on."""
        host, _, port = self.address.rpartition(":")
        try:
            self._server = await asyncio.start_server(self._serve, host.strip("[]"), int(port), limit=HEAD)
        except OSError as e:
            what = "http.listen can't be used: no health checks, no metrics"
            log.error(what, address=self.address, because=str(e))  # noqa: TRY400 the reason says it all
        else:
            log.info("health checks and metrics are served", address=self.address)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while len(self._waiting) >= CONNECTIONS:  # idle strangers make room for a probe
            oldest = next(iter(self._waiting))
            del self._waiting[oldest]
            oldest.transport.abort()
        self._waiting[writer] = None
        try:
            async with asyncio.timeout(SECONDS):
                page, method = await self._answer(reader)
                self._waiting.pop(writer, None)
                writer.write(_encoded(page, with_body=method != "HEAD"))
                await writer.drain()
        except (OSError, TimeoutError, EOFError):
            writer.transport.abort()
        finally:
            self._waiting.pop(writer, None)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[Page, str]:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return _plain(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE), ""
        if not _is_ours(_host(head), self.address):
            return _plain(HTTPStatus.MISDIRECTED_REQUEST), ""
        method, target, *_ = [*head.split(b"\r\n", 1)[0].decode("latin-1").split(" "), "", ""]
        return await self._page(method, target.partition("?")[0]), method

    async def _page(self, method: str, path: str) -> Page:
        if path not in self._routes:
            return _plain(HTTPStatus.NOT_FOUND)
        if method not in ("GET", "HEAD"):
            return _plain(HTTPStatus.METHOD_NOT_ALLOWED)
        try:
            return await self._routes[path]()
        except Exception:
            log.exception("an HTTP request failed", path=path)
            return _plain(HTTPStatus.INTERNAL_SERVER_ERROR)


def _host(head: bytes) -> str:
    """The Host header without its port; "" where there is none."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"host":
            try:
                return (urlsplit("//" + value.strip().decode("latin-1")).hostname or "?").rstrip(".")
            except ValueError:  # half an IPv6 address
                return "?"
    return ""


def _is_ours(host: str, address: str) -> bool:
    """An address, or a name of this machine. A foreign name is DNS rebinding: a page of a stranger's asks."""
    known = {"", "localhost", socket.gethostname().lower(), address.rpartition(":")[0].strip("[]").lower()}
    try:
        return host in known or bool(ip_address(host))
    except ValueError:
        return False


def _plain(status: HTTPStatus) -> Page:
    return Page(f"{status.phrase}\n".encode(), status.value)


def _encoded(page: Page, *, with_body: bool) -> bytes:
    head = (
        f"HTTP/1.1 {page.code} {HTTPStatus(page.code).phrase}\r\nContent-Type: {page.content_type}\r\n"
        f"Content-Length: {len(page.body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (page.body if with_body else b"")
