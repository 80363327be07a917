"""Produces events to a Kafka topic, with an idempotent producer; the key is the ticket, so its events keep their order.

The broker drops what the producer itself sends twice, and nothing else: after a crash of ours what was under way comes
again, with the same header `event_id`. kafka_client.py has the producer and what its errors mean.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from listener.base.errors import Unavailable
from listener.event import ticket_of
from listener.settings.rules import Count, Text, Texts, is_loopback
from listener.settings.secrets import SecretSource
from listener.sinks.network import Batch, BatchLimits, ClientSink, NetworkConfig
from listener.sinks.results import Result, TryAgain

if TYPE_CHECKING:
    from listener.sinks.kafka_client import KafkaClient


class KafkaConfig(NetworkConfig, frozen=True, kw_only=True):
    """The settings. Brokers beyond this machine are reached by TLS, unless `allow_plaintext`; a username means SASL."""

    type: Literal["kafka"] = "kafka"
    brokers: Annotated[tuple[str, ...], Texts(r"[A-Za-z0-9.-]+:[0-9]{1,5}", 'brokers such as "kafka.example:9093"')]
    topic: Annotated[str, Text(r"[A-Za-z0-9._-]{1,249}", 'a topic such as "helpdesk"')]
    username: Annotated[str | None, Text(r"[!-~]{1,200}", "a user of the brokers")] = None
    password: SecretSource | None = None
    mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = "SCRAM-SHA-512"
    allow_plaintext: bool = False
    batch: BatchLimits = BatchLimits(max_events=500)
    in_flight: Annotated[int, Count(1, 1024)] = 4

    def __post_init__(self) -> None:
        if self.proxy:
            raise ValueError("proxy is for HTTP: Kafka is reached without one")
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together: set both or neither")

    @property
    def is_plain(self) -> bool:
        """Returns whether the connection is not encrypted."""
        local = all(is_loopback(broker.rpartition(":")[0].lower()) for broker in self.brokers)
        return local or self.allow_plaintext


class KafkaSink(ClientSink["KafkaClient"]):
    def __init__(self, config: KafkaConfig) -> None:
        super().__init__()
        self._config = config

    async def deliver(self, batch: Batch) -> Sequence[Result]:
        client = await self._connected()
        messages = [(ticket_of(one.event.payload), one.event.event_id, one.data) for one in batch]
        results = await client.produce(messages)
        self._doubt(results)
        if client.is_broken:
            self.reopen()
        return results

    async def probe(self) -> str:
        """Asks for the topic, produces nothing, and returns what it found. Raises Unavailable with what is wrong."""
        client = await self._connected()
        found = await client.partitions()
        if isinstance(found, TryAgain):
            raise Unavailable(f"sink {self._config.name}: {found.reason}")
        return f"the topic {self._config.topic} is there ({found} partitions); nothing was produced"

    def _new_client(self) -> "KafkaClient":
        from listener.sinks.kafka_client import KafkaClient

        config = self._config
        credentials = (config.username or "", config.password.read(), config.mechanism) if config.password else None
        return KafkaClient(config, config.brokers, config.topic, plain=config.is_plain, credentials=credentials)
