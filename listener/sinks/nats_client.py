"""The connection of the nats sink: nats-py, its errors and the server's answers translated here and nowhere else.

A connection that is lost is not mended by nats-py but made anew by the next attempt, so that credentials are read again
and nobody waits for an answer that can't come any more.
"""

import asyncio
import os
import ssl
import uuid
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec
import nats.errors
import nats.js.errors
from nats.aio.client import Client as Connection
from nats.aio.msg import Msg
from nats.js.api import RetentionPolicy, StreamConfig

from listener.sinks.nats_config import TICKET, WINDOW, NatsConfig
from listener.sinks.network import clean, tls
from listener.sinks.results import Delivered, Rejected, Result, TryAgain

CONNECT = 10.0  # seconds for each server
ATOMIC = (2, 12)  # the first server version that takes atomic batches
MOST_TOGETHER = 1000  # messages of an atomic batch that a server takes
TOO_LARGE = frozenset({10054})  # error codes of the server that speak of the message
OTHER_STREAM = 10060


class Refusal(msgspec.Struct):
    """Why a stream did not take a message."""

    description: str = ""
    err_code: int = 0


class PubAck(msgspec.Struct):
    """What a stream answers to a message."""

    error: Refusal | None = None


_decode_answer = msgspec.json.Decoder(PubAck).decode


class PlaintextError(nats.errors.Error):
    """The server offers no TLS where the address wants it."""


class _Connection(Connection):
    """nats-py, which goes on in plain text where a server does not ask for TLS, whatever the address says."""

    wants_tls = False

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        if self.wants_tls and initial_connection and not info.get("tls_required"):
            raise PlaintextError
        await super()._process_info(info, initial_connection)


class NatsClient:
    """One connection. `is_atomic`: whether the stream takes atomic batches; `will_make`: whether it is to be made."""

    def __init__(self, config: NatsConfig) -> None:
        self._config = config
        self._connection = _Connection()
        self._waiting: dict[str, asyncio.Future[PubAck | TryAgain]] = {}
        self._inbox = ""
        self._where = ""
        self._said = ""  # the server's last words beside its answers
        self.is_atomic = self.will_make = False
        self.is_lost = False

    async def connect(self, *, make: bool) -> TryAgain | None:
        """Connects to the first server that lets us, and looks at the stream; returns why it can't be used, if so.

        make: whether it makes or changes the stream where the settings want that.
        """
        problem = None
        for server in self._config.servers:
            self._where = server.shown.partition("://")[2]
            if (problem := await self._connect_to(server.reveal())) is None:
                return await self._guarded_look(make=make)
        return problem

    async def publish(self, subject: str, event_id: str, data: bytes) -> Result:
        """Publishes one event and waits for the stream's answer."""
        if len(data) > self._connection.max_payload:
            return Rejected(f"{len(data)} bytes are more than the server takes ({self._connection.max_payload})")
        answer = await self._ask(subject, data, self._headers(event_id))
        return answer if isinstance(answer, TryAgain) else self._meaning(answer)

    async def publish_together(self, messages: Sequence[tuple[str, str, bytes]]) -> Result | None:
        """Publishes all or none; returns None where the server refuses that, as where it knows an id."""
        if len(messages) > MOST_TOGETHER or any(len(data) > self._connection.max_payload for _, _, data in messages):
            return None
        batch, answer = uuid.uuid4().hex, None
        for n, (subject, event_id, data) in enumerate(messages, 1):
            headers = self._headers(event_id) | {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(n)}
            if n == len(messages):
                answer = await self._ask(subject, data, headers | {"Nats-Batch-Commit": "1"})
            elif failure := await self._send(subject, data, headers):
                return failure
        if isinstance(answer, TryAgain):
            return answer
        return Delivered() if answer and answer.error is None else None

    async def close(self) -> None:
        """Ends the connection, if there is one."""
        self._lose("the connection was closed")
        try:
            async with asyncio.timeout(1.0):
                await self._connection.close()
        except (nats.errors.Error, OSError, TimeoutError):
            pass

    def _headers(self, event_id: str) -> dict[str, str]:
        return {"Nats-Msg-Id": quote(event_id, safe=":.~!*'()[]/+="), "Nats-Expected-Stream": self._config.stream}

    async def _connect_to(self, url: str) -> TryAgain | None:
        config, wait = self._config, min(CONNECT, self._config.timeout)
        self._connection.wants_tls = url.startswith("tls:")
        try:
            async with asyncio.timeout(wait):
                await self._connection.connect(
                    [url],
                    name=f"helpdesk-listen {config.name}",
                    allow_reconnect=False,
                    connect_timeout=int(wait) or 1,
                    tls=tls(config),
                    user_credentials=str(config.credentials_file) if config.credentials_file else None,
                    closed_cb=self._closed,
                    error_cb=self._heard,
                )
                self._inbox = self._connection.new_inbox()
                await self._connection.subscribe(f"{self._inbox}.*", cb=self._answered)
        except (nats.errors.Error, OSError, ValueError) as e:  # ValueError: of a credentials file
            return self._unconnected(e)
        return None

    def _unconnected(self, error: Exception) -> TryAgain:
        said = str(error)
        if isinstance(error, PlaintextError):
            return self._paused("the server offers no TLS, and the address is tls://")
        if isinstance(error, ssl.SSLError):
            return self._paused(f"TLS: {error.reason or error}; a CA of your own goes into ca_file")
        if "uthoriz" in said or "uthentic" in said or isinstance(error, ValueError):
            return self._paused(said)
        number = error.errno if isinstance(error, OSError) else None
        reason = os.strerror(number) if number and number > 0 else said or type(error).__name__
        return TryAgain(f"{self._where}: {clean(reason)}", None, "endpoint")

    async def _guarded_look(self, *, make: bool) -> TryAgain | None:
        """Looks at the stream, makes or widens it where asked to; returns what is wrong with it otherwise."""
        try:
            return await self._look(make=make)
        except nats.js.errors.ServiceUnavailableError:
            return TryAgain(f"{self._where}: JetStream is not available there", None, "endpoint")
        except nats.js.errors.APIError as e:
            return self._paused(f"stream {self._config.stream}: {e.description} ({e.err_code})")
        except (nats.errors.Error, OSError) as e:
            return TryAgain(f"{self._where}: {clean(self._said or str(e))}", None, "endpoint")

    async def _look(self, *, make: bool) -> TryAgain | None:
        context, name = self._connection.jetstream(timeout=self._config.timeout), self._config.stream
        try:
            found = (await context.stream_info(name)).config
        except nats.js.errors.NotFoundError:
            if not self._config.create:
                subjects = self._config.subject.replace(TICKET, "*")
                hint = f"nats stream add {name} --subjects '{subjects}' --dupe-window 8h"
                return self._paused(f"there is no stream {name}: set create = true, or `{hint}`")
            if not make:
                self.will_make = True
                return None
            found = (await context.add_stream(self._wanted())).config
        if (found.duplicate_window or 0) < WINDOW and self._config.create:
            if not make:
                self.will_make = True
                return None
            found = (await context.update_stream(found.evolve(duplicate_window=WINDOW))).config
        if (found.duplicate_window or 0) < WINDOW:
            remedy = f"`nats stream edit {name} --dupe-window 8h`"
            return self._paused(f"stream {name} knows ids for {found.duplicate_window or 0:g} s, not 8 h: {remedy}")
        if found.no_ack:
            return self._paused(f"stream {name} acknowledges nothing (no_ack), so nobody could tell what it has")
        self.is_atomic = bool(found.allow_atomic)
        return None

    def _wanted(self) -> StreamConfig:
        """Returns the stream's settings: it keeps everything, since only its owner knows for how long."""
        version = self._connection.connected_server_version
        atomic = True if (version.major, version.minor) >= ATOMIC else None
        return StreamConfig(
            name=self._config.stream,
            description="Ticket messages of Feishu's helpdesk, from helpdesk-listen",
            subjects=[self._config.subject.replace(TICKET, "*")],
            retention=RetentionPolicy.LIMITS,
            duplicate_window=WINDOW,
            allow_atomic=atomic,
        )

    async def _ask(self, subject: str, data: bytes, headers: Mapping[str, str]) -> PubAck | TryAgain:
        """Returns the stream's answer, or why there is none."""
        token = uuid.uuid4().hex
        answer: asyncio.Future[PubAck | TryAgain] = asyncio.get_running_loop().create_future()
        self._waiting[token] = answer
        try:
            if failure := await self._send(subject, data, headers, f"{self._inbox}.{token}"):
                return failure
            async with asyncio.timeout(self._config.timeout):
                return await answer
        except TimeoutError:
            return TryAgain(f"{self._where}: {self._said or f'no answer within {self._config.timeout:g} s'}")
        finally:
            del self._waiting[token]

    async def _send(self, subject: str, data: bytes, headers: Mapping[str, str], reply: str = "") -> TryAgain | None:
        try:
            await self._connection.publish(subject, data, reply=reply, headers=dict(headers))
        except (nats.errors.Error, OSError) as e:
            return TryAgain(f"{self._where}: {clean(str(e))}", None, "endpoint")
        return None

    async def _answered(self, message: Msg) -> None:
        answer = self._waiting.get(message.subject.rpartition(".")[2])
        if not answer or answer.done():
            return
        if message.headers and message.headers.get("Status") == "503":
            answer.set_result(self._paused(f"no stream takes the subject {self._config.subject}"))
            self.is_lost = True  # so that the stream is looked at again
            return
        try:
            answer.set_result(_decode_answer(message.data))
        except msgspec.MsgspecError:
            answer.set_result(TryAgain(f"{self._where}: it is no JetStream that answers"))

    def _meaning(self, answer: PubAck) -> Result:
        error = answer.error
        if error is None:
            return Delivered()
        reason = f"stream {self._config.stream}: {clean(error.description)} ({error.err_code})"
        if error.err_code in TOO_LARGE:
            return Rejected(reason)
        return TryAgain(reason, None, "endpoint", paused=error.err_code == OTHER_STREAM)

    async def _heard(self, error: Exception) -> None:
        """The server's words beside its answers: what is not permitted gets no answer at all.

        While it connects, raises them: nats-py would go on trying by itself.
        """
        if not self._connection.is_connected:
            raise error
        self._said = clean(str(error))
        if "ermission" in self._said:
            self._lose(self._said, paused=True)

    async def _closed(self) -> None:
        self._lose(self._said or "the connection was lost")

    def _lose(self, reason: str, *, paused: bool = False) -> None:
        """Ends every wait for an answer on this connection."""
        self.is_lost = True
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_result(TryAgain(f"{self._where}: {reason}", None, "endpoint", paused=paused))

    def _paused(self, reason: str) -> TryAgain:
        return TryAgain(f"{self._where}: {clean(reason)}", None, "endpoint", paused=True)
