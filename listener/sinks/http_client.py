"""Wraps the HTTP client of the http sink, aiohttp; its errors are translated here and nowhere else."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from listener import __version__
from listener.sinks.network import NetworkConfig, proxy_for, tls
from listener.sinks.results import TryAgain

CONNECT = 10.0  # seconds for TCP and TLS
BODY = 5.0  # seconds for the body once the status is there; without the whole of it the connection is given up
MAX_ANSWER = 2**16  # bytes of an answer that are read, so that its connection can be used again
Answer = tuple[int, Mapping[str, str], bytes]


class HttpClient:
    """Keeps connections open; follows no redirect, keeps no cookie, reads no .netrc."""

    def __init__(self, config: NetworkConfig, url: str, cert: Path | None = None, key: Path | None = None) -> None:
        """Makes the client, whose requests the worker bounds by `timeout`. Raises OSError for a bad certificate."""
        self._config = config
        self._proxy = url, proxy_for(url, config)  # a URL and its proxy
        secure = any(one and one.startswith("https:") for one in self._proxy)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=tls(config, cert, key) if secure else True),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=min(CONNECT, 0.9 * config.timeout)),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"helpdesk-listen/{__version__}", "Accept-Encoding": "identity"},
        )

    async def send(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Answer | TryAgain:
        """Sends a request; returns the answer, or why there is none."""
        host = urlsplit(url).netloc.rpartition("@")[2]
        try:
            return await self._send(method, url, body, headers)
        except TimeoutError:
            return TryAgain(f"{host}: no connection within {min(CONNECT, self._config.timeout):g} s", None, "endpoint")
        except (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError, aiohttp.InvalidURL) as e:
            return TryAgain(f"{host}: {_why(e)}", None, "endpoint")
        except (aiohttp.ClientError, OSError) as e:
            return TryAgain(f"{host}: {_why(e)}")

    async def close(self) -> None:
        await self._session.close()

    async def _send(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        if self._proxy[0] != url:
            self._proxy = url, proxy_for(url, self._config)
        async with self._session.request(
            method, url, data=body, headers=headers, proxy=self._proxy[1], allow_redirects=False
        ) as response:
            return response.status, response.headers, await _read(response, min(BODY, 0.4 * self._config.timeout))


async def _read(response: aiohttp.ClientResponse, seconds: float) -> bytes:
    """Reads the answer's first bytes; the status says what matters, so a body that fails to come is an empty one."""
    try:
        async with asyncio.timeout(seconds):
            body = await response.content.read(MAX_ANSWER)
            while not response.content.at_eof() and len(body) < MAX_ANSWER:
                body += await response.content.read(MAX_ANSWER - len(body))
    except (aiohttp.ClientError, TimeoutError, asyncio.IncompleteReadError):
        response.close()
        return b""
    return body


def _why(error: Exception) -> str:
    """Returns what is wrong without the URL, which aiohttp's own texts may hold."""
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"the proxy answered {error.status}"
    inner = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    text = inner.strerror if isinstance(inner, OSError) else None
    return text or type(error).__name__
