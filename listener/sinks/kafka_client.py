"""Wraps the producer of the kafka sink, librdkafka; confluent-kafka's errors are translated here and nowhere else.

Its reports come in a thread that does nothing but wait for them; the event loop is woken once a batch.
"""

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import certifi
from confluent_kafka import KafkaError, KafkaException, Producer

from listener.sinks.network import NetworkConfig, clean
from listener.sinks.results import Delivered, Rejected, Result, TryAgain

WAIT: Final = 0.1  # seconds between looks at whether to stop
_OF_THE_EVENT: Final = frozenset(
    {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE, KafkaError.INVALID_RECORD, KafkaError.INVALID_MSG}
)
_SETTINGS: Final = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError._AUTHENTICATION,
        KafkaError._SSL,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError.UNSUPPORTED_SASL_MECHANISM,
    }
)


@dataclass
class _Reports:
    """The reports on a batch's messages; `done` is called once, when the last one is known."""

    results: list[Result]
    done: Callable[[], None]
    left: int
    guard: threading.Lock = field(default_factory=threading.Lock)

    def set(self, n: int, result: Result) -> None:
        with self.guard:
            self.results[n] = result
            self.left -= 1
            last = self.left == 0
        if last:
            self.done()


class KafkaClient:
    """One producer. `is_broken`: it can't go on, as after an error that would repeat or reorder messages."""

    def __init__(
        self,
        config: NetworkConfig,
        brokers: Sequence[str],
        topic: str,
        *,
        plain: bool,
        credentials: tuple[str, str, str] | None,
    ) -> None:
        self._topic, self._timeout, self._where = topic, config.timeout, ",".join(brokers)
        self._said: KafkaError | None = None  # the newest error that is not a message's own
        self.is_broken = False
        self._producer = Producer(_options(config, brokers, plain=plain, credentials=credentials) | self._callbacks())
        self._stopping = threading.Event()
        threading.Thread(target=self._listen, name=f"kafka-{config.name}", daemon=True).start()

    async def produce(self, messages: Sequence[tuple[str | None, str, bytes]]) -> Sequence[Result]:
        """Sends messages of (ticket, event id, data); returns a result for each, in their order."""
        loop, all_known = asyncio.get_running_loop(), asyncio.Event()
        unknown = TryAgain(f"{self._where}: no answer within {self._timeout:g} s", None, "endpoint")
        reports = _Reports([unknown] * len(messages), lambda: _wake(loop, all_known), len(messages))
        for n, message in enumerate(messages):
            self._send(message, partial(self._report, reports, n), reports, n)
        try:
            async with asyncio.timeout(self._timeout + 2.0):  # librdkafka itself gives each message up after `timeout`
                await all_known.wait()
        except TimeoutError:
            self.is_broken = True
        return list(reports.results)

    async def partitions(self) -> int | TryAgain:
        """Returns how many partitions the topic has."""
        try:
            found = await asyncio.to_thread(self._producer.list_topics, self._topic, self._timeout)
        except KafkaException as e:
            return self._again(self._said or e.args[0])
        topic = found.topics[self._topic]
        return self._again(topic.error) if topic.error else len(topic.partitions)

    async def close(self) -> None:
        """Gives up what is under way."""
        self._stopping.set()
        self._producer.purge()

    def _send(
        self, message: tuple[str | None, str, bytes], report: Callable[..., None], reports: _Reports, n: int
    ) -> None:
        ticket, event_id, data = message
        key = ticket.encode("utf-8", "replace") if ticket else None
        header: list[tuple[str, str | bytes | None]] = [("event_id", event_id.encode("utf-8", "replace"))]
        try:
            self._producer.produce(self._topic, data, key, on_delivery=report, headers=header)
        except KafkaException as e:
            reports.set(n, self._meaning(e.args[0]))
        except BufferError:
            reports.set(n, TryAgain("more messages wait for the brokers than librdkafka keeps", None, "endpoint"))

    def _report(self, reports: _Reports, n: int, error: KafkaError | None, _message: Any) -> None:
        reports.set(n, Delivered() if error is None else self._meaning(error))

    def _meaning(self, error: KafkaError) -> Result:
        if error.code() in _OF_THE_EVENT:
            return Rejected(f"{self._topic}: {clean(error.str())}")
        timed_out = error.code() in (KafkaError._MSG_TIMED_OUT, KafkaError._TIMED_OUT, KafkaError._PURGE_QUEUE)
        return self._again(self._said if timed_out and self._said else error)

    def _again(self, error: KafkaError) -> TryAgain:
        self.is_broken |= error.fatal()
        paused = error.code() in _SETTINGS
        return TryAgain(f"{self._where}: {self._topic}: {clean(error.str())}", None, "endpoint", paused=paused)

    def _callbacks(self) -> dict[str, Any]:
        quiet = logging.Logger("kafka")  # librdkafka writes to standard error otherwise
        quiet.addHandler(logging.NullHandler())
        return {"error_cb": self._heard, "logger": quiet}

    def _heard(self, error: KafkaError) -> None:
        self.is_broken |= error.fatal()
        if error.code() != KafkaError._ALL_BROKERS_DOWN or self._said is None:  # which says less than what it follows
            self._said = error

    def _listen(self) -> None:
        while not self._stopping.is_set():
            self._producer.poll(WAIT)


def _wake(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    try:
        loop.call_soon_threadsafe(event.set)
    except RuntimeError:  # the loop is closed: nobody waits any more
        return


def _options(
    config: NetworkConfig, brokers: Sequence[str], *, plain: bool, credentials: tuple[str, str, str] | None
) -> dict[str, Any]:
    """Returns librdkafka's options."""
    authorities = config.ca_file or os.environ.get("SSL_CERT_FILE") or certifi.where()
    options: dict[str, Any] = {
        "bootstrap.servers": ",".join(brokers),
        "client.id": f"helpdesk-listen-{config.name}",
        "enable.idempotence": True,
        "message.timeout.ms": int(config.timeout * 1000),
        "allow.auto.create.topics": False,  # a misspelt topic is reported, not made
        "topic.metadata.propagation.max.ms": int(min(5.0, config.timeout / 2) * 1000),
        "security.protocol": f"{'SASL_' if credentials else ''}{'PLAINTEXT' if plain else 'SSL'}",
    }
    if not plain:
        options["ssl.ca.location"] = str(authorities)
    if credentials:
        user, password, mechanism = credentials
        options |= {"sasl.username": user, "sasl.password": password, "sasl.mechanism": mechanism}
    return options
