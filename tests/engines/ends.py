"""The other end of each sink as the crash and the benchmark use it: a server, the sink's settings, what has arrived."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Protocol, Self

from listener.settings.secrets import Secret
from listener.sinks.network import NetworkConfig
from tests.engines import mock_kafka
from tests.engines.configs import config_of, held
from tests.engines.redis_server import RedisServer
from tests.engines.server import Database, Nats, Postgres, Server, add_stream

COMMON = '[[sinks]]\nname = "end"\ntype = "{kind}"\nstart = "earliest"\nretry.max_delay = "1s"\n'


class End(Protocol):
    """Entered with its server running."""

    is_durable: bool  # whether the server holds after kill -9 what it has acknowledged
    is_exactly_once: bool  # whether the sink promises that an event arrives once through a kill -9 of the daemon

    @property
    def server(self) -> Server: ...

    @property
    def config(self) -> str:
        """The text of a config.toml."""
        ...

    def sink(self, **settings: Any) -> NetworkConfig:
        """The same sink for a worker in this process."""
        ...

    def found(self) -> list[str]:
        """The ids that have arrived, repeated where an event has."""
        ...

    def count(self) -> int:
        """How many have arrived."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class PostgresEnd:
    """With the server's own settings for durability, and room for a busy machine."""

    is_durable = is_exactly_once = True

    def __init__(self) -> None:
        self.server = Postgres()
        self._held = ExitStack()

    def __enter__(self) -> Self:
        self._held.enter_context(self.server)
        self.database: Database = self.server.new_database("d")
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    @property
    def config(self) -> str:
        return COMMON.format(kind="postgresql") + f'dsn = "{self.server.url("d")}"\n'

    def sink(self, **settings: Any) -> NetworkConfig:
        return self.database.config(**settings)

    def found(self) -> list[str]:
        if self.database.sql("SELECT to_regclass('helpdesk_events') IS NULL") == [["t"]]:
            return []
        return [row[0] for row in self.database.columns("event_id")]

    def count(self) -> int:
        return self.database.counts()[0]


class NatsEnd:
    """JetStream with the server's own settings, or with a sync after each write (`always`).

    `atomic`: whether its stream is the one that the sink makes, or one that is there and takes no atomic batches.
    """

    is_durable = is_exactly_once = True

    def __init__(self, *, atomic: bool = True, **settings: str) -> None:
        self.server, self._atomic = Nats(**settings), atomic

    def __enter__(self) -> Self:
        self.server.__enter__()
        if not self._atomic:
            add_stream(self.server, "HELPDESK", subjects=["helpdesk.*"])
        return self

    def __exit__(self, *_: object) -> None:
        self.server.__exit__()

    @property
    def config(self) -> str:
        return COMMON.format(kind="nats") + f'servers = ["{self.server.url()}"]\ncreate = true\n'

    def sink(self, **settings: Any) -> NetworkConfig:
        given: dict[str, Any] = {"servers": (Secret(self.server.url()),), "create": True}
        return config_of("nats", **(given | settings))

    def found(self) -> list[str]:
        return self.server.found()

    def count(self) -> int:
        async def messages(context: Any) -> int:
            state = (await context.stream_info("HELPDESK")).state
            return int(state.messages)

        return int(self.server.call(messages))


class RedisEnd:
    """Redis with an append-only file, synced every second or at each write (`always`)."""

    is_durable = is_exactly_once = True

    def __init__(self, sync: str = "everysec") -> None:
        self.server = RedisServer(appendfsync=sync)

    def __enter__(self) -> Self:
        self.server.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.__exit__()

    @property
    def config(self) -> str:
        return COMMON.format(kind="redis") + f'url = "{self.server.url()}"\n'

    def sink(self, **settings: Any) -> NetworkConfig:
        return config_of("redis", **({"url": held(self.server.url()), "max_events": 256} | settings))

    def found(self) -> list[str]:
        return [entry["event_id"] for entry in self.server.entries()]

    def count(self) -> int:
        return len(self.found())


class KafkaEnd:
    """librdkafka's mock cluster: no broker that anybody runs, and nothing on a disk."""

    is_durable = is_exactly_once = False

    def __init__(self) -> None:
        self.server = mock_kafka.KafkaServer()

    def __enter__(self) -> Self:
        self.server.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.__exit__()

    @property
    def config(self) -> str:
        return (
            COMMON.format(kind="kafka")
            + f'brokers = ["{self.server.broker}"]\ntopic = "helpdesk"\nallow_plaintext = true\n'
        )

    def sink(self, **settings: Any) -> NetworkConfig:
        given: dict[str, Any] = {"brokers": (self.server.broker,), "topic": "helpdesk"}
        return config_of("kafka", **(given | settings))

    def found(self) -> list[str]:
        return [mock_kafka.id_of(one) for one in mock_kafka.read(self.server.broker, "helpdesk")]

    def count(self) -> int:
        return mock_kafka.count(self.server.broker, "helpdesk")


ENDS: dict[str, Callable[[], End]] = {
    "postgresql": PostgresEnd,
    "nats": NatsEnd,
    "redis": RedisEnd,
    "kafka": KafkaEnd,
    "redis-always": lambda: RedisEnd("always"),
    "nats-always": lambda: NatsEnd(sync_interval="always"),
    "nats-one-by-one": lambda: NatsEnd(atomic=False),
    "nats-always-one-by-one": lambda: NatsEnd(atomic=False, sync_interval="always"),
}
