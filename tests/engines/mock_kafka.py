"""librdkafka's mock cluster: brokers in this process, on real sockets of loopback. It keeps messages in memory."""

import logging
from types import TracebackType
from typing import Any, Self

from confluent_kafka import Consumer, Producer, TopicPartition

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
        self._partitions = [TopicPartition(self.topic, n, 0) for n in found.topics[self.topic].partitions]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del self._cluster

    def messages(self) -> list[Any]:
        """All messages, those of a partition in their order."""
        consumer = Consumer({"bootstrap.servers": self.brokers[0], "group.id": "test", "logger": _quiet})
        consumer.assign(self._partitions)
        ends = sum(consumer.get_watermark_offsets(one, 10)[1] for one in self._partitions)
        found: list[Any] = []
        while len(found) < ends:
            if (message := consumer.poll(10)) and not message.error():
                found.append(message)
        consumer.close()
        return found

    def ids(self) -> list[str]:
        return [dict(one.headers())["event_id"].decode() for one in self.messages()]
