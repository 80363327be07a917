"""An HTTP proxy: CONNECT tunnels, and plain requests with an absolute URI; with an optional password."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from listener.simulator import http1
from listener.simulator.http1 import BadRequest, HttpRequest
from listener.simulator.link import Entry, Link
from listener.simulator.pipe import Pipe

_HOP_BY_HOP = {"proxy-authorization", "proxy-connection", "connection", "keep-alive"}


@dataclass(frozen=True, slots=True)
class ProxyRequest:
    """What came to the proxy. `target` is host:port; `authorized` is False where the password was missing."""

    method: str
    target: str
    authorized: bool


class ConnectProxy(Link):
    """A link whose every connection says where it leads.

    password: "user:password" that Basic authentication must carry (RFC 7617); None asks for none.
    routes: host:port to another (host, port), for names that resolve nowhere.
    """

    def __init__(self, password: str | None = None, routes: Mapping[str, tuple[str, int]] | None = None) -> None:
        super().__init__()
        self.password = password
        self.routes = dict(routes or {})
        self.requests: list[ProxyRequest] = []

    @property
    def url(self) -> str:
        """Returns what HTTPS_PROXY is set to, the password included."""
        return f"http://{self.password + '@' if self.password else ''}127.0.0.1:{self.port}"

    def authorized(self, request: HttpRequest) -> bool:
        """Returns whether the request carries the password, where one is asked for."""
        expected = base64.b64encode((self.password or "").encode()).decode()
        return self.password is None or request.headers.get("proxy-authorization") == f"Basic {expected}"

    def _new_entry(self) -> Pipe:
        return _ProxyEntry(self)


class _ProxyEntry(Entry):
    """The proxy's end towards the client: reads the request's head, then passes bytes on like any pipe."""

    owner: ConnectProxy
    _head = b""

    def begin(self) -> None:
        self.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        if self.peer is not None:
            super().data_received(data)
            return
        self._head += data
        try:
            request, rest = http1.parse_head(self._head)
        except BadRequest:
            self.end("fin")
            return
        if request is not None:
            self.transport.pause_reading()
            self.owner.spawn(self._open(request, rest))

    async def _open(self, request: HttpRequest, rest: bytes) -> None:
        target, authorized = _target(request), self.owner.authorized(request)
        self.owner.requests.append(ProxyRequest(request.method, target, authorized))
        host, _, port = target.rpartition(":")
        if not authorized:
            self._refuse(407, {"Proxy-Authenticate": 'Basic realm="stand-in"'})
        elif not port.isdecimal():
            self._refuse(400, {})
        elif (onward := await self.owner.onward(*self.owner.routes.get(target, (host, int(port))))) is None:
            self._refuse(502, {})
        elif request.method == "CONNECT":
            self.transport.write(http1.head(200, {}))
            onward.transport.write(rest)
            self.join(onward)
        else:
            onward.transport.write(_origin_form(request) + rest)
            self.join(onward)

    def _refuse(self, status: int, headers: dict[str, str]) -> None:
        self.transport.write(http1.head(status, {**headers, "Content-Length": "0", "Connection": "close"}))
        self.end("fin")


def _target(request: HttpRequest) -> str:
    """Returns host:port, from CONNECT's authority form or an absolute URI (RFC 9112, section 3.2)."""
    if request.method == "CONNECT":
        return request.target
    return f"{urlsplit(request.target).hostname}:{urlsplit(request.target).port or 80}"


def _origin_form(request: HttpRequest) -> bytes:
    """Returns the request's head as the origin server expects it, for this one request only."""
    url = urlsplit(request.target)
    fields = {name: value for name, value in request.headers.items() if name not in _HOP_BY_HOP}
    lines = [f"{name}: {value}" for name, value in {**fields, "connection": "close"}.items()]
    first = f"{request.method} {url.path or '/'}{'?' + url.query if url.query else ''} HTTP/1.1"
    return "\r\n".join([first, *lines, "", ""]).encode("latin-1")
