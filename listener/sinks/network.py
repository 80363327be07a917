"""Defines the contract of sinks behind a network, and the settings that they share.

A worker (delivery/network_worker.py) hands such a sink batches, several at a time where `in_flight` allows, and never
two at a time that hold events of one ticket. The sink answers with a result for each event.
"""

import hashlib
import os
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, Protocol, TypeVar, runtime_checkable
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]  # typeshed lacks them

import certifi
import msgspec

from listener.base.text import peers_words
from listener.event import Received
from listener.settings.paths import BaseDirectory
from listener.settings.rules import Count, Duration, Proxy, Size
from listener.settings.secrets import Secret
from listener.sinks.base import SinkConfig
from listener.sinks.results import Result, TryAgain

SHOWN = 200  # characters of what the other end says that a log or a dead letter may hold


class BatchLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds of a request: so many events, so many bytes, or what came within `linger` seconds."""

    max_events: Annotated[int, Count(1, 10_000)] = 1
    max_bytes: Annotated[int, Size("1KiB", "64MiB")] = 2**20
    linger: Annotated[float, Duration("0s", "1m")] = 0.2


class NetworkConfig(SinkConfig, frozen=True, kw_only=True):
    """The settings of every sink behind a network. `order`: events of one ticket, or all, go one after the other."""

    batch: BatchLimits = BatchLimits()
    in_flight: Annotated[int, Count(1, 1024)] = 16
    timeout: Annotated[float, Duration("100ms", "10m")] = 15.0
    order: Literal["ticket", "strict"] = "ticket"
    proxy: Annotated[Secret | None, Proxy()] = None
    ca_file: Annotated[Path | None, BaseDirectory.CONFIG] = None


@dataclass(frozen=True)
class Outgoing:
    """An event in the sink's format. `attempt` counts from 1; `replayed`: somebody asked for it once more."""

    event: Received
    data: bytes
    attempt: int = 1
    replayed: bool = False


class Batch(tuple[Outgoing, ...]):
    """Events that go out together, oldest first."""

    __slots__ = ()

    @property
    def id(self) -> str:
        """Returns an id that is the same whenever the same events go out together."""
        ids = "\n".join(one.event.event_id for one in self)
        return f"batch_{hashlib.sha256(ids.encode('utf-8', 'replace')).hexdigest()[:32]}"


class NetworkSink(Protocol):
    """A sink behind a network, which runs in the event loop of its worker.

    What it raises counts as TryAgain for all events of the batch.
    """

    async def open(self) -> None:
        """Makes the sink ready, without a request to the other end where that can be avoided."""
        ...

    async def deliver(self, batch: Batch) -> Sequence[Result]:
        """Hands over the events; returns a result for each, in their order."""
        ...

    def reopen(self) -> None:
        """Has secrets read again before the next request, since the settings were read again (SIGHUP)."""
        ...

    async def close(self) -> None:
        """Ends all connections."""
        ...


@runtime_checkable
class Probing(Protocol):
    """A network sink that can say whether its other end would take events, without handing it one."""

    async def probe(self) -> str:
        """Returns a text that says so. Raises Unavailable if not, ConfigError for a setting or secret it can't use."""
        ...

    async def close(self) -> None: ...


@runtime_checkable
class Paced(Protocol):
    """A network sink whose other end sets a pace; while it pauses, events gather for its next batch."""

    def pause(self) -> float:
        """Returns the seconds before the sink may be given the next batch; 0 if it may now."""
        ...


class Closable(Protocol):
    """The client of a sink: whatever holds its connections."""

    async def close(self) -> None: ...


C = TypeVar("C", bound=Closable)


class ClientSink(Generic[C]):
    """A sink with one client, which is made when the sink opens, and made anew where it is not fresh.

    It is not fresh once the settings were read again, or the other end refused what was read of them: a password that
    was changed in its file works with the next attempt.
    """

    def __init__(self) -> None:
        self._client: C | None = None
        self._fresh = False  # whether the client was made of the secrets as they are now

    def _new_client(self) -> C:
        """Makes a client without any request. Raises ConfigError where a setting or a secret can't be used."""
        raise NotImplementedError

    async def open(self) -> None:
        """Makes the client. Raises ConfigError where a setting or a secret can't be used."""
        await self._connect_anew()

    def reopen(self) -> None:
        """Has the client made anew before the next request."""
        self._fresh = False

    async def close(self) -> None:
        """Ends the client's connections."""
        client, self._client = self._client, None
        if client:
            await client.close()

    async def _connected(self) -> C:
        """Returns a client that is fresh."""
        if self._client is None or not self._fresh:
            await self._connect_anew()
        assert self._client is not None  # noqa: S101 for the reader of types
        return self._client

    async def _connect_anew(self) -> None:
        before, self._client, self._fresh = self._client, self._new_client(), True
        if before:
            await before.close()

    def _doubt(self, results: Sequence[Result]) -> None:
        """Has the secrets read again before the next request where a result says that somebody must act."""
        if any(isinstance(one, TryAgain) and one.paused for one in results):
            self._fresh = False


def clean(text: str) -> str:
    """Returns a stranger's text on one line, printable and short."""
    return peers_words(text[:SHOWN]).strip()


def proxy_for(url: str, config: NetworkConfig) -> str | None:
    """Returns the proxy for this URL: the setting, else HTTPS_PROXY, HTTP_PROXY and NO_PROXY of the environment."""
    if config.proxy:
        return config.proxy.reveal()
    parts, proxies = urlsplit(url), getproxies_environment()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or proxy_bypass_environment(parts.netloc.rpartition("@")[2]):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def tls(config: NetworkConfig, cert: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
    """Returns a context of TLS that trusts `ca_file`, else $SSL_CERT_FILE, else certifi. Raises OSError."""
    context = ssl.create_default_context(cafile=config.ca_file or os.environ.get("SSL_CERT_FILE") or certifi.where())
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # since Python 3.13; authorities of inspecting networks fail it
    if cert:
        context.load_cert_chain(cert, key)
    return context


@dataclass(frozen=True)
class SinkType:
    """A type of sink: its settings, and what makes a sink of them. A plug-in's entry point names one.

    `needs` is the module of the client library that the extra of the type's name installs; "" where none is needed.
    """

    config: type[SinkConfig]
    new: Callable[..., Any]  # (config) for a NetworkConfig and its NetworkSink; (config, stopping) for a local sink
    needs: str = ""
