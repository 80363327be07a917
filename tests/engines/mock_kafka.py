"""librdkafka's mock cluster on real sockets of loopback, here or in a process of its own. Messages are in memory only.

    python -m tests.engines.mock_kafka

prints where the broker is, and serves until it is killed.
"""

import logging
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

from tests.engines.server import Server

_quiet = logging.Logger("mock")
_quiet.addHandler(logging.NullHandler())


class MockKafka:
    """`brokers` of a cluster whose topic `helpdesk` has four partitions. Its death is the end of its messages."""

    def __init__(self, topic: str = "helpdesk") -> None:
        self.topic = topic

    def __enter__(self) -> Self:
        options = {"test.mock.num.brokers": 1, "bootstrap.servers": "ignored", "logger": _quiet}
        self._cluster = Producer(options)
        found = self._cluster.list_topics(self.topic, 20)  # which makes it
        self.brokers = tuple(f"{one.host}:{one.port}" for one in found.brokers.values())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del self._cluster

    def messages(self) -> list[Any]:
        """All messages, those of a partition in their order."""
        return read(self.brokers[0], self.topic)

    def ids(self) -> list[str]:
        return [id_of(one) for one in self.messages()]


def read(broker: str, topic: str) -> list[Any]:
    """The messages of a topic, those of a partition in their order; the mock keeps the newest 5 MB of each."""
    with _consumer(broker, topic) as (consumer, partitions):
        bounds = [consumer.get_watermark_offsets(one, 10) for one in partitions]
        left = sum(high - low for low, high in bounds)
        found: list[Any] = []
        while len(found) < left:
            if (message := consumer.poll(10)) and not message.error():
                found.append(message)
        return found


def count(broker: str, topic: str) -> int:
    """How many messages have come to a topic."""
    with _consumer(broker, topic) as (consumer, partitions):
        return sum(consumer.get_watermark_offsets(one, 10)[1] for one in partitions)


@contextmanager
def _consumer(broker: str, topic: str) -> Iterator[tuple[Consumer, list[TopicPartition]]]:
    options = {"bootstrap.servers": broker, "group.id": "test", "auto.offset.reset": "earliest", "logger": _quiet}
    consumer = Consumer(options)
    try:
        known = consumer.list_topics(topic, 20).topics[topic].partitions
        partitions = [TopicPartition(topic, n, OFFSET_BEGINNING) for n in known]
        consumer.assign(partitions)
        yield consumer, partitions
    finally:
        consumer.close()


def id_of(message: Any) -> str:
    return str(dict(message.headers())["event_id"].decode())


class KafkaServer(Server):
    """A mock cluster in a process of its own, which can be pinned to a core; what it holds dies with it."""

    name = "kafka"

    def command(self) -> Sequence[str]:
        return (sys.executable, "-m", "tests.engines.mock_kafka")

    def answers(self) -> bool:
        return self.broker != ""

    @property
    def broker(self) -> str:
        said = (self.home / "log").read_text().splitlines()
        return said[-1] if said and said[-1].startswith("127.") else ""


def main() -> None:
    with MockKafka() as cluster:
        sys.stdout.write(f"{cluster.brokers[0]}\n")
        sys.stdout.flush()
        signal.pause()


if __name__ == "__main__":
    main()
