"""Opens a TCP connection through an HTTP proxy (CONNECT: RFC 9110, section 9.3.6; Basic authentication: RFC 7617)."""

import asyncio
import base64
import ssl
from urllib.parse import SplitResult, unquote, urlsplit

from listener.base.errors import Unreachable
from listener.base.redact import remember

HAPPY_EYEBALLS = 0.25  # seconds until the next address is tried beside a slow one (RFC 8305)
MAX_HEAD = 16 * 1024  # bytes
PORTS = {"http": 80, "https": 443}
HINT = "feishu.proxy, else HTTPS_PROXY and NO_PROXY, say which proxy and its password"


class _Answer(asyncio.Protocol):
    """Reads a proxy's answer to CONNECT up to the end of its head.

    `head` is set to that, or to what there was of it when the proxy hung up.
    """

    def __init__(self) -> None:
        self.head: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._seen = b""

    def data_received(self, data: bytes) -> None:
        self._seen += data
        if b"\r\n\r\n" in self._seen or len(self._seen) > MAX_HEAD:
            self._done()

    def connection_lost(self, exc: Exception | None) -> None:
        self._done()

    def _done(self) -> None:
        if not self.head.done():
            self.head.set_result(self._seen)


async def open_tunnel(proxy: str, host: str, port: int, tls: ssl.SSLContext | None) -> asyncio.Transport:
    """Opens a tunnel and returns its transport; `tls` is for a proxy reached by https. Raises Unreachable, OSError."""
    url = urlsplit(proxy)
    transport, answer = await asyncio.get_running_loop().create_connection(
        _Answer,
        str(url.hostname),
        url.port or PORTS[url.scheme],
        ssl=tls if url.scheme == "https" else None,
        happy_eyeballs_delay=HAPPY_EYEBALLS,
    )
    try:
        transport.write(connect_request(url, f"[{host}]:{port}" if ":" in host else f"{host}:{port}"))
        check_answer(await answer.head)
    except BaseException:
        transport.abort()
        raise
    return transport


def connect_request(proxy: SplitResult, target: str) -> bytes:
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if proxy.username is not None:
        userinfo = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
        credentials = base64.b64encode(userinfo.encode()).decode()
        remember(credentials)  # some servers send a request's head back in their error
        lines.append(f"Proxy-Authorization: Basic {credentials}")
    return "\r\n".join([*lines, "", ""]).encode()


def check_answer(head: bytes) -> None:
    """Raises Unreachable unless the status is 2xx, which opens the tunnel."""
    version, _, rest = head.partition(b" ")
    if not version.startswith(b"HTTP/1.") or b"\r\n\r\n" not in head:
        raise Unreachable("the proxy hung up, or is none", cause="proxy", hint=HINT)
    if not rest.startswith(b"2"):
        status = rest.split(b"\r\n")[0][:100].decode(errors="replace")
        raise Unreachable(f"the proxy answered {status}", cause="proxy", hint=HINT)
