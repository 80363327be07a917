"""How both legs, the endpoint call and the socket, reach the platform: proxies, CAs, limits.

The SDK's own calls have no timeout, follow redirects with the secret, and differ in their view of proxies.
"""

import ipaddress
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import certifi
import requests

from listener.config import Feishu
from listener.errors import ConfigError, Unreachable

ENDPOINT_LIMIT = 64 * 1024  # bytes; a real answer has about 600
_PROXY_VARIABLES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


def is_loopback(host: str | None) -> bool:
    """Whether a host name or address never leaves this machine."""
    if host is None or host.lower() == "localhost":
        return host is not None
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, kw_only=True)
class Network:
    """The way out. `proxy` None: HTTPS_PROXY of the environment; NO_PROXY holds for either."""

    proxy: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    timeout: float = 4.0  # seconds, for connecting and for each read

    def proxy_for(self, url: str) -> str | None:
        """The proxy for this URL. Plain text never leaves the machine, so not for it unless the proxy is local."""
        proxy = self.proxy or next((os.environ[v] for v in _PROXY_VARIABLES if os.environ.get(v)), None)
        if proxy is None or requests.utils.should_bypass_proxies(_as_http(url), no_proxy=None):
            return None
        proxy = proxy if "://" in proxy else f"http://{proxy}"
        plain = urlsplit(url).scheme in ("http", "ws")
        return None if plain and not is_loopback(urlsplit(proxy).hostname) else proxy

    def ca_bundle(self) -> str:
        """PEM file of the authorities that are trusted on both legs."""
        return self.ca_file or os.environ.get("SSL_CERT_FILE") or certifi.where()

    def tls(self) -> ssl.SSLContext:
        """Raises ConfigError where the CA file can't be used."""
        try:
            return ssl.create_default_context(cafile=self.ca_bundle())
        except (OSError, ssl.SSLError) as e:
            raise ConfigError(
                f"CA file {self.ca_bundle()}: {e}",
                hint="feishu.ca_file (or SSL_CERT_FILE) must name a readable PEM file",
            ) from e


def network_of(feishu: Feishu) -> Network:
    """As the settings say. Raises ConfigError where the CA file can't be used."""
    network = Network(
        proxy=feishu.proxy.reveal() if feishu.proxy else None,
        ca_file=str(feishu.ca_file) if feishu.ca_file else None,
    )
    network.tls()
    return network


@dataclass(frozen=True)
class Answer:
    """What the SDK reads of a response."""

    status_code: int
    content: bytes
    headers: Mapping[str, str]


class BoundedRequests:
    """Stands where the SDK's ws client expects the `requests` module: one POST, bounded in every way."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def post(self, url: str, **kwargs: Any) -> Answer:
        """Raises Unreachable; never follows a redirect, which would hand the secret to another host."""
        return self.request("POST", url, **kwargs)

    def request(self, method: str, url: str, **kwargs: Any) -> Answer:
        proxy = self._network.proxy_for(url)
        timeout = self._network.timeout
        try:
            with requests.Session() as session:
                session.trust_env = False  # no netrc, and the proxy is chosen above, for both legs alike
                settled: dict[str, Any] = {"timeout": timeout, "allow_redirects": False, "stream": True}
                settled |= {"proxies": {"http": proxy, "https": proxy}, "verify": self._network.ca_bundle()}
                return _read(session.request(method, url, **(kwargs | settled)))
        except (requests.RequestException, OSError) as e:
            raise _translated(e, url) from None  # the chain's texts may hold a proxy's password


def _read(response: requests.Response) -> Answer:
    content = bytearray()
    for chunk in response.iter_content(16 * 1024):
        content += chunk
        if len(content) > ENDPOINT_LIMIT:
            raise Unreachable(f"the answer is longer than {ENDPOINT_LIMIT} bytes", cause="endpoint")
    return Answer(response.status_code, bytes(content), response.headers)


def _translated(error: Exception, url: str) -> Unreachable:
    host = urlsplit(url).netloc
    match error:
        case requests.exceptions.ProxyError():
            why, hint = "the proxy refused or can't be reached", "feishu.proxy, HTTPS_PROXY, NO_PROXY"
        case requests.exceptions.SSLError():
            why, hint = f"TLS: {_innermost(error)}", "a network that inspects TLS needs feishu.ca_file"
        case requests.exceptions.Timeout():
            why, hint = "no answer in time", ""
        case _:
            why, hint = _innermost(error), ""
    return Unreachable(f"{host}: {why}", cause="endpoint", hint=hint)


def _innermost(error: BaseException) -> str:
    """The reason below requests' and urllib3's wrappers, which repeat URLs and object addresses."""
    seen = error
    while nested := seen.__cause__ or seen.__context__ or getattr(seen, "reason", None):
        if not isinstance(nested, BaseException):
            break
        seen = nested
    return str(seen) or type(seen).__name__


def _as_http(url: str) -> str:
    return url.replace("ws", "http", 1) if url.startswith("ws") else url
