"""Appends events to a Redis stream, each id once within 8 h.

Redis has no such memory of its own before 8.6, so a script looks for the id, appends the event and notes the id, all in
one step of the server. redis_client.py has the connections and what the server's errors mean.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final, Literal
from urllib.parse import unquote, urlsplit

from listener.base.errors import ConfigError, Unavailable
from listener.base.redact import remember
from listener.event import ticket_of
from listener.settings.rules import Count, Text, is_loopback
from listener.settings.secrets import SecretSource
from listener.sinks.network import Batch, BatchLimits, ClientSink, NetworkConfig
from listener.sinks.results import Result, TryAgain

if TYPE_CHECKING:
    from listener.sinks.redis_client import RedisClient

WINDOW: Final = 8 * 3600  # seconds that an id is known; the platform pushes an event again for 7.1 hours
FIELDS: Final = ("event_id", "event_type", "ticket_id", "data")
SCRIPT: Final = """
local window, most, added = ARGV[1], tonumber(ARGV[2]), 0
for n = 2, #KEYS do
  if redis.call('EXISTS', KEYS[n]) == 0 then
    local at, entry = 3 + (n - 2) * 4, {'*'}
    for i, name in ipairs({'event_id', 'event_type', 'ticket_id', 'data'}) do
      entry[2 * i], entry[2 * i + 1] = name, ARGV[at + i - 1]
    end
    if most > 0 then
      redis.call('XADD', KEYS[1], 'MAXLEN', '~', most, unpack(entry))
    else
      redis.call('XADD', KEYS[1], unpack(entry))
    end
    redis.call('SET', KEYS[n], '1', 'EX', window)
    added = added + 1
  end
end
return added
"""
"""KEYS: the stream, then one for each event. ARGV: seconds, the most entries to keep (0: all), each event's fields."""


class RedisConfig(NetworkConfig, frozen=True, kw_only=True):
    """The settings. About `max_len` entries are kept, the oldest leave; None: all are, as long as there is memory."""

    type: Literal["redis"] = "redis"
    url: SecretSource
    stream: Annotated[str, Text(r"[!-~]{1,200}", 'a key such as "helpdesk"')] = "helpdesk"
    max_len: Annotated[int | None, Count(1, 10**12)] = None
    allow_plaintext: bool = False
    batch: BatchLimits = BatchLimits(max_events=256)
    in_flight: Annotated[int, Count(1, 1024)] = 4

    def __post_init__(self) -> None:
        if self.proxy:
            raise ValueError("proxy is for HTTP: Redis is reached without one")


class RedisSink(ClientSink["RedisClient"]):
    def __init__(self, config: RedisConfig) -> None:
        super().__init__()
        self._config = config
        # In a cluster, keys with the same words in braces are on one server.
        self._prefix = f"{config.stream}:" if "{" in config.stream else f"{{{config.stream}}}:"

    async def deliver(self, batch: Batch) -> Sequence[Result]:
        client = await self._connected()
        keys, values = [self._config.stream], [str(WINDOW), str(self._config.max_len or 0)]
        arguments: list[str | bytes] = list(values)
        for one in batch:
            event = one.event
            keys.append(self._prefix + event.event_id)
            arguments += [event.event_id, event.event_type, ticket_of(event.payload) or "", one.data]
        result = await client.run(keys, arguments)
        self._doubt([result])
        return [result] * len(batch)

    async def probe(self) -> str:
        """Looks at the stream, appends nothing, and returns what it found. Raises Unavailable with what is wrong."""
        client = await self._connected()
        kept = await client.look(self._config.stream)
        if isinstance(kept, TryAgain):
            raise Unavailable(f"sink {self._config.name}: {kept.reason}")
        return f"the stream {self._config.stream} takes events; none was appended ({kept})"

    def _new_client(self) -> "RedisClient":
        from listener.sinks.redis_client import RedisClient

        url = checked(self._config.url.read(), allow_plaintext=self._config.allow_plaintext)
        return RedisClient(self._config, url, SCRIPT)


def checked(url: str, *, allow_plaintext: bool) -> str:
    """Returns the address of a Redis server. Raises ConfigError, without a word of it, where it can't be used."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.scheme not in ("redis", "rediss") or not host:
        raise ConfigError("url is not an address such as rediss://user:password@redis.example:6379/0")
    if parts.password:
        remember(parts.password)
        remember(unquote(parts.password))
    if parts.scheme == "redis" and not is_loopback(host) and not allow_plaintext:
        hint = "use rediss://, or set allow_plaintext = true"
        raise ConfigError("redis:// is readable by anyone on the way", hint=hint)
    return url
