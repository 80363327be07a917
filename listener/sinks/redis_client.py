"""Wraps the connections of the redis sink: redis-py, its errors translated here and nowhere else."""

import hashlib
import os
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import certifi
from redis import exceptions
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from listener.sinks.network import NetworkConfig, clean
from listener.sinks.results import Delivered, Result, TryAgain

T = TypeVar("T")
CONNECT = 10.0  # seconds
_PAUSED: Final = (exceptions.AuthenticationError, exceptions.AuthorizationError, exceptions.NoPermissionError)
_FULL: Final = (exceptions.OutOfMemoryError, exceptions.ReadOnlyError)
_SETTINGS: Final = ("WRONGTYPE", "MOVED", "CROSSSLOT")  # of errors without a class of their own, the code comes first
_OF_THE_SERVER: Final = ("MISCONF", "MASTERDOWN", "CLUSTERDOWN", "NOREPLICAS", "BUSY")


class RedisClient:
    """A pool of connections, and the script that the server runs for each batch."""

    def __init__(self, config: NetworkConfig, url: str, script: str) -> None:
        parts = urlsplit(url)
        self._where = f"{parts.hostname}:{parts.port or 6379}"
        self._script, self._digest = script, hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
        self._redis: Redis = Redis.from_url(
            url,
            socket_timeout=config.timeout,
            socket_connect_timeout=min(CONNECT, config.timeout),
            client_name="helpdesk-listen",
            decode_responses=True,
            retry=Retry(NoBackoff(), 0),  # the worker tries again, and says so
            **(_tls(config) if parts.scheme == "rediss" else {}),
        )

    async def run(self, keys: Sequence[str], arguments: Sequence[str | bytes]) -> Result:
        """Runs the script, which is sent again where the server has forgotten it."""

        async def work() -> Result:
            try:
                await self._redis.evalsha(self._digest, len(keys), *keys, *arguments)
            except exceptions.NoScriptError:
                await self._redis.eval(self._script, len(keys), *keys, *arguments)
            return Delivered()

        return await self._guarded(work)

    async def look(self, stream: str) -> str | TryAgain:
        """Returns in words how durably the server keeps data, if the key is a stream or nothing yet."""

        async def work() -> str | TryAgain:
            kind = str(await self._redis.type(stream))
            if kind not in ("none", "stream"):
                return self._paused(f"the key {stream} holds a {kind}, not a stream")
            return await self._durability()

        return await self._guarded(work)

    async def close(self) -> None:
        """Ends all connections."""
        await self._redis.aclose()

    async def _durability(self) -> str:
        try:
            found = await self._redis.config_get("appendonly", "appendfsync", "maxmemory-policy")
        except exceptions.ResponseError:
            return "this user may not ask how the server keeps it"
        if found.get("appendonly") != "yes":
            return "appendonly is no: what came since the server's last snapshot is lost when it ends"
        if not str(found.get("maxmemory-policy", "noeviction")).startswith("noeviction"):
            return f"maxmemory-policy is {found['maxmemory-policy']}: ids may be forgotten and events come twice"
        return f"appendonly, appendfsync {found.get('appendfsync')}"

    async def _guarded(self, work: Callable[[], Awaitable[T]]) -> T | TryAgain:
        try:
            return await work()
        except _PAUSED as e:
            return self._paused(str(e))
        except exceptions.ResponseError as e:
            return self._refused(e)
        except (exceptions.RedisError, OSError) as e:
            return TryAgain(f"{self._where}: {clean(_why(e))}", None, "endpoint")

    def _refused(self, error: exceptions.ResponseError) -> TryAgain:
        said = str(error).partition(" script: ")[0]
        if said.startswith(_SETTINGS):
            return self._paused(said)
        known = isinstance(error, _FULL) or said.startswith(_OF_THE_SERVER)
        return TryAgain(f"{self._where}: {clean(said)}", None, "endpoint" if known else "event")

    def _paused(self, reason: str) -> TryAgain:
        return TryAgain(f"{self._where}: {clean(reason)}", None, "endpoint", paused=True)


def _tls(config: NetworkConfig) -> dict[str, Any]:
    authorities = config.ca_file or os.environ.get("SSL_CERT_FILE") or certifi.where()
    return {"ssl_ca_certs": str(authorities), "ssl_cert_reqs": "required", "ssl_check_hostname": True}


def _why(error: Exception) -> str:
    cause = error.__cause__ or error.__context__ or error
    if isinstance(cause, ssl.SSLError):
        return f"TLS: {cause.reason or cause}; a CA of your own goes into ca_file"
    number = cause.errno if isinstance(cause, OSError) else None
    return os.strerror(number) if number and number > 0 else str(error) or type(error).__name__
