"""Connects both legs, the endpoint call and the socket, with the platform: proxies, authorities, limits.

The SDK's own calls have no timeout, follow redirects with the secret, and differ in their view of proxies.
"""

import base64
import os
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

import certifi

from listener.base.errors import ConfigError, Unreachable
from listener.base.imports import without_modules
from listener.base.redact import remember
from listener.settings import rules
from listener.settings.config import FeishuSettings

with without_modules("chardet", "charset_normalizer"):  # 3 MB that guess the encoding of texts: answers are bytes
    import requests
    from requests.adapters import HTTPAdapter

ANSWER_LIMIT = 64 * 1024  # bytes; a real answer has about 600
TLS_HINT = "a network that inspects TLS needs feishu.ca_file"
_PROXY_VARIABLES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


def is_loopback(host: str | None) -> bool:
    """Returns whether what goes to this host never leaves the machine."""
    return host is not None and rules.is_loopback(host.lower())


@dataclass(frozen=True, kw_only=True)
class Network:
    """The way out: `proxy`, else HTTPS_PROXY of the environment; NO_PROXY holds for either. Times are in seconds."""

    proxy: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    connect_timeout: float = 2.5  # for each address of a host: a blackholed IPv6 must leave time for IPv4
    read_timeout: float = 4.0
    total_timeout: float = 9.0  # however slowly the answer drips in

    def proxy_for(self, url: str) -> str | None:
        """Returns the proxy for this URL. Plain text never leaves the machine: it gets none but a local one."""
        proxy = self._wanted_proxy()[1]
        if proxy is None or requests.utils.should_bypass_proxies(_as_http(url), no_proxy=None):
            return None
        plain = urlsplit(url).scheme in ("http", "ws")
        return None if plain and not is_loopback(urlsplit(proxy).hostname) else proxy

    def ca_bundle(self) -> str:
        """Returns the path of the PEM file with the authorities that are trusted on both legs."""
        return self.ca_file or os.environ.get("SSL_CERT_FILE") or certifi.where()

    def tls(self) -> ssl.SSLContext:
        """Returns a context of TLS, with the authorities read anew. Raises OSError."""
        context = ssl.create_default_context(cafile=self.ca_bundle())
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # since Python 3.13; authorities of inspecting networks fail it
        return context

    def check(self) -> None:
        """Raises ConfigError where CA file or proxy can't be used; from then on no log shows the proxy's password."""
        try:
            self.tls()
        except OSError as e:
            hint = "feishu.ca_file (or SSL_CERT_FILE) must name a readable PEM file"
            raise ConfigError(f"CA file {self.ca_bundle()}: {e}", hint=hint) from e
        self._check_proxy()

    def _check_proxy(self) -> None:
        where, proxy = self._wanted_proxy()
        if proxy is None:
            return
        try:
            url = urlsplit(proxy)
            usable = url.scheme in ("http", "https") and url.hostname is not None and url.port != 0
        except ValueError:
            usable = False
        if not usable:
            raise ConfigError(f"{where} is not a proxy that can be used", hint="http://[user:password@]host:port")
        name, password = unquote(url.username or ""), unquote(url.password or "")
        for secret in {url.password or "", password, base64.b64encode(f"{name}:{password}".encode()).decode()}:
            remember(secret)  # some servers send a request's head back in their error

    def _wanted_proxy(self) -> tuple[str, str | None]:
        """Returns the setting's name and the proxy; a bare host:port means http, as it does to curl."""
        found = [("feishu.proxy", self.proxy), *((name, os.environ.get(name)) for name in _PROXY_VARIABLES)]
        where, proxy = next(((name, value) for name, value in found if value), ("", None))
        return where, proxy if proxy is None or "://" in proxy else f"http://{proxy}"


def network_of(feishu: FeishuSettings) -> Network:
    """Returns the network of these settings. Raises ConfigError where CA file or proxy can't be used."""
    network = Network(
        proxy=feishu.proxy.reveal() if feishu.proxy else None,
        ca_file=str(feishu.ca_file) if feishu.ca_file else None,
    )
    network.check()
    return network


@dataclass(frozen=True)
class Response:
    """An HTTP response, with the attributes of `requests` that the SDK reads."""

    status_code: int
    content: bytes
    headers: Mapping[str, str]


class BoundedRequests:
    """Stands where the SDK expects the `requests` module; bounded in time and size, and it follows no redirect."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def post(self, url: str, **kwargs: Any) -> Response:
        """Sends a POST, as `request` says."""
        return self.request("POST", url, **kwargs)

    def request(self, method: str, url: str, **kwargs: Any) -> Response:
        """Sends a request. Raises Unreachable, and ConfigError where a secret would go out in plain text.

        `limit` among the keywords is the longest answer in bytes; one beyond it counts as none.
        """
        limit = int(kwargs.pop("limit", ANSWER_LIMIT))
        if urlsplit(url).scheme != "https" and not is_loopback(urlsplit(url).hostname):
            raise ConfigError(f"{url} is not https", hint="the secret goes out over https only, or to this machine")
        call = _Call(self._network)
        end = threading.Timer(self._network.total_timeout, call.end)
        end.daemon = True
        end.start()
        try:
            return self._send(call, method, url, kwargs, limit)
        except (requests.RequestException, OSError, ValueError) as e:
            raise _translated(e, url, timed_out=call.ended) from None  # the chain's texts may hold a proxy's password
        finally:
            end.cancel()

    def _send(self, call: "_Call", method: str, url: str, kwargs: dict[str, Any], limit: int) -> Response:
        """Sends the request without following redirects, which would hand the secret to another host."""
        wanted, proxy = self._network, self._network.proxy_for(url)
        settled: dict[str, Any] = {"timeout": (wanted.connect_timeout, wanted.read_timeout), "allow_redirects": False}
        settled |= {"stream": True, "proxies": {"http": proxy, "https": proxy}, "verify": wanted.ca_bundle()}
        with requests.Session() as session:
            session.trust_env = False  # no netrc, and the proxy is chosen above, for both legs alike
            session.mount("http://", call)
            session.mount("https://", call)
            with session.request(method, url, **(kwargs | settled)) as response:
                content = _content(response, limit)
                if call.ended:
                    raise TimeoutError  # the end that was made looks like the answer's own: this may be a part of it
                return Response(response.status_code, content, response.headers)


class _Call(HTTPAdapter):
    """One call that another thread can end: a timeout bounds each read, but not how many there are."""

    def __init__(self, network: Network) -> None:
        self.ended = False
        self._network = network
        self._twin: socket.socket | None = None  # a second descriptor of the connection; TLS takes the first one over
        super().__init__()

    def end(self) -> None:
        """Ends the call: the thread that waits in it gets an error."""
        self.ended = True
        if self._twin is not None:
            with suppress(OSError):
                self._twin.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        super().close()
        if self._twin is not None:
            self._twin.close()

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        connection_class = pool.ConnectionCls

        def watched(**wanted: Any) -> Any:
            tls = {"ssl_context": self._network.tls()} if pool.scheme == "https" else {}
            connection = connection_class(**(wanted | tls))
            connect = connection._new_conn
            connection._new_conn = lambda: self._watch(connect())
            return connection

        pool.ConnectionCls = watched
        return pool

    def _watch(self, sock: socket.socket) -> socket.socket:
        self._twin = sock.dup()
        if self.ended:
            sock.close()
            raise TimeoutError
        return sock


def _content(response: requests.Response, limit: int) -> bytes:
    content = bytearray()
    for chunk in response.iter_content(16 * 1024):
        content += chunk
        if len(content) > limit:
            raise Unreachable(f"the answer is longer than {limit} bytes", cause="endpoint")
    return bytes(content)


def _translated(error: Exception, url: str, *, timed_out: bool) -> Unreachable:
    host = urlsplit(url).netloc
    match error:
        case requests.exceptions.ProxyError():
            why, hint = f"the proxy: {_innermost(error)}", "feishu.proxy, else HTTPS_PROXY and NO_PROXY, say which"
        case requests.exceptions.SSLError() if not timed_out:
            why, hint = f"TLS: {_innermost(error)}", TLS_HINT
        case _ if timed_out or isinstance(error, requests.exceptions.Timeout):
            why, hint = "no answer in time", ""
        case _:
            why, hint = _innermost(error), ""
    return Unreachable(f"{host}: {why}", cause="endpoint", hint=hint)


def _innermost(error: BaseException) -> str:
    """Returns the reason below requests' and urllib3's wrappers, which repeat URLs and object addresses."""
    seen = error
    while nested := seen.__cause__ or seen.__context__ or getattr(seen, "reason", None):
        if not isinstance(nested, BaseException):
            break
        seen = nested
    return str(seen) or type(seen).__name__


def _as_http(url: str) -> str:
    return url.replace("ws", "http", 1) if url.startswith("ws") else url
