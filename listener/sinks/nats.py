"""Publishes events to a NATS JetStream stream, deduplicated by the server through `Nats-Msg-Id`, the event id.

Events of one ticket go out one after the other, tickets side by side; where the stream's configuration allows atomic
batches, a batch is one of them. nats_client.py has the connection and what the server's answers mean.
"""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from listener.base.errors import Unavailable
from listener.base.redact import remember
from listener.event import ticket_of
from listener.sinks.nats_config import NatsConfig
from listener.sinks.nats_wire import Message, message_of
from listener.sinks.network import Batch, ClientSink, Outgoing
from listener.sinks.results import Result, TryAgain

if TYPE_CHECKING:
    from listener.sinks.nats_client import NatsClient


class NatsSink(ClientSink["NatsClient"]):
    def __init__(self, config: NatsConfig) -> None:
        super().__init__()
        self._config = config
        self._opening = asyncio.Lock()
        for server in config.servers:
            parts = urlsplit(server.reveal())
            for secret in filter(None, (parts.username, parts.password)):
                remember(secret)

    async def open(self) -> None:
        """Does nothing: the connection is made when there is something to deliver."""

    async def deliver(self, batch: Batch) -> Sequence[Result]:
        async with self._opening:
            client = await self._ready()
        if isinstance(client, TryAgain):
            return [client] * len(batch)
        messages = [self._message(one) for one in batch]
        if client.is_atomic and len(batch) > 1:
            result = await client.publish_together(messages)
            if result is not None:
                return [result] * len(batch)
        return await self._one_by_one(client, messages)

    async def probe(self) -> str:
        """Connects, looks at the stream, and returns what it found. Raises Unavailable with what is wrong."""
        client = await self._ready(make=False)
        if isinstance(client, TryAgain):
            raise Unavailable(f"sink {self._config.name}: {client.reason}")
        if client.will_make:
            return f"can be reached; the stream {self._config.stream} will be made or changed"
        how = "in atomic batches" if client.is_atomic else "one by one"
        return f"the stream {self._config.stream} takes events, {how}; none was published"

    def _new_client(self) -> "NatsClient":
        from listener.sinks.nats_client import NatsClient

        return NatsClient(self._config)

    async def _ready(self, *, make: bool = True) -> "NatsClient | TryAgain":
        """Returns a client whose stream was looked at, or why there is none."""
        if self._client and self._fresh and not self._client.is_lost:
            return self._client
        await self.close()
        client = self._new_client()
        problem = await client.connect(make=make)
        if problem:
            await client.close()
            return problem
        self._client, self._fresh = client, True
        return client

    def _message(self, one: Outgoing) -> Message:
        subject = self._config.subject_for(ticket_of(one.event.payload))
        return message_of(subject, one.event.event_id, self._config.stream, one.data)

    async def _one_by_one(self, client: "NatsClient", messages: Sequence[Message]) -> Sequence[Result]:
        """Publishes each ticket's events one after the other; what comes after one that failed is not sent.

        The first events of all tickets go out at once, then the second ones: one wait for all of them.
        """
        results: list[Result] = [TryAgain("it waits for an earlier event of its ticket")] * len(messages)
        failed: set[str] = set()
        for wave in self._waves(messages):
            sent = [n for n in wave if self._key(messages[n]) not in failed]
            for n, result in zip(sent, await client.publish([messages[n] for n in sent]), strict=True):
                results[n] = result
                if isinstance(result, TryAgain):
                    failed.add(self._key(messages[n]))
        self._doubt(results)
        return results

    def _waves(self, messages: Sequence[Message]) -> list[list[int]]:
        """Returns the numbers of the messages that may go out at once: the first of each ticket, the second, ..."""
        waves: list[list[int]] = []
        lengths: dict[str, int] = {}
        for n, message in enumerate(messages):
            key = self._key(message)
            place = lengths[key] = lengths.get(key, -1) + 1
            if place == len(waves):
                waves.append([])
            waves[place].append(n)
        return waves

    def _key(self, message: Message) -> str:
        """Returns the key by which messages keep their order: the subject, or one for all of them."""
        return "" if self._config.order == "strict" else message.subject
