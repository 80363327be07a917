"""Wraps the connection of the nats sink: nats-py's errors and the server's answers are translated here alone.

nats-py does not repair a lost connection; the next attempt makes a new one, so that credentials are read again and
nobody waits for an answer that can't come any more.
"""

import asyncio
import itertools
import os
import ssl
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import nats.errors
import nats.js.errors
from nats.aio.client import Client as Connection
from nats.aio.msg import Msg
from nats.js.api import RetentionPolicy, StreamConfig

from listener.sinks.nats_answers import Answers, PubAck, read
from listener.sinks.nats_config import TICKET, WINDOW, NatsConfig
from listener.sinks.nats_wire import Message, side_by_side, together
from listener.sinks.network import clean, tls
from listener.sinks.results import Delivered, Rejected, Result, TryAgain

CONNECT = 10.0  # seconds for each server
ATOMIC = (2, 12)  # the first server version that takes atomic batches
MOST_TOGETHER = 1000  # messages of an atomic batch that a server takes
BATCH_HEADERS = 128  # bytes at most of what a message's headers say of its batch
TOO_LARGE = frozenset({10054})  # error codes of the server that speak of the message
OTHER_STREAM = 10060


class PlaintextError(nats.errors.Error):
    """The server offers no TLS where the address wants it."""


class _Connection(Connection):
    """nats-py's client with TLS enforced: its own goes on in plain text where a server does not ask for TLS.

    Of its private names it uses `_process_info`, `_process_op_err`, `_pending_data_size`, `_send_command` and
    `_flush_pending`. `on_lost` is told of a lost connection at once.
    """

    wants_tls = False

    def __init__(self, on_lost: Callable[[str], None]) -> None:
        super().__init__()
        self._on_lost = on_lost

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        if self.wants_tls and initial_connection and not info.get("tls_required"):
            raise PlaintextError
        await super()._process_info(info, initial_connection)

    async def _process_op_err(self, e: Exception) -> None:
        self._on_lost(clean(str(e)))
        self._pending_data_size = 0  # else it writes to what is lost, fails, and leaves its tasks behind
        await super()._process_op_err(e)

    async def send(self, commands: bytes) -> None:
        """Sends finished commands, as `publish` does with those that it makes. Raises what `publish` raises."""
        if not self.is_connected:
            raise nats.errors.ConnectionClosedError
        await self._send_command(commands)
        await self._flush_pending()


class NatsClient:
    """One connection. `is_atomic`: whether the stream takes atomic batches; `will_make`: whether it is to be made."""

    def __init__(self, config: NatsConfig) -> None:
        self._config = config
        self._connection = _Connection(self._lose)
        self._waiting: dict[str, Answers] = {}
        self._tokens = itertools.count()
        self._inbox = ""
        self._where = ""
        self._said = ""  # the server's last words beside its answers
        self.is_atomic = self.will_make = False
        self.is_lost = self._is_connecting = False

    async def connect(self, *, make: bool) -> TryAgain | None:
        """Connects to the first server that lets us, and looks at the stream; returns why it can't be used, if so.

        With `make` it makes or changes the stream where the settings want that.
        """
        problem = None
        for server in self._config.servers:
            self._where = server.shown.partition("://")[2]
            if (problem := await self._connect_to(server.reveal())) is None:
                return await self._guarded_look(make=make)
        return problem

    async def publish(self, messages: Sequence[Message]) -> Sequence[Result]:
        """Publishes messages side by side and waits for the stream's answer to each."""
        most = self._connection.max_payload
        results: list[Result] = [
            Rejected(f"{one.size} bytes are more than the server takes ({most})") for one in messages
        ]
        fitting = [n for n, one in enumerate(messages) if one.size <= most]
        if fitting:
            inbox, token = self._new_inbox()
            commands = side_by_side((messages[n] for n in fitting), inbox)
            for n, answer in zip(fitting, await self._ask(commands, token, len(fitting)), strict=True):
                results[n] = answer if isinstance(answer, TryAgain) else self._meaning(answer)
        return results

    async def publish_together(self, messages: Sequence[Message]) -> Result | None:
        """Publishes all or none; returns None where the server refuses that, as where it knows an id."""
        most = self._connection.max_payload - BATCH_HEADERS
        if len(messages) > MOST_TOGETHER or any(one.size > most for one in messages):
            return None
        inbox, token = self._new_inbox()
        (answer,) = await self._ask(together(messages, inbox, uuid.uuid4().hex), token, 1)
        if isinstance(answer, TryAgain):
            return answer
        return Delivered() if answer.error is None else None

    async def close(self) -> None:
        """Ends the connection, if there is one."""
        self._lose("the connection was closed")
        try:
            async with asyncio.timeout(1.0):
                await self._connection.close()
        except (nats.errors.Error, OSError, TimeoutError):
            pass

    async def _connect_to(self, url: str) -> TryAgain | None:
        config, wait = self._config, min(CONNECT, self._config.timeout)
        self._connection.wants_tls = url.startswith("tls:")
        self._is_connecting = True
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
                await self._connection.subscribe(f"{self._inbox}.*.*", cb=self._answered)
        except (nats.errors.Error, OSError, ValueError) as e:  # ValueError: of a credentials file
            return self._unconnected(e)
        finally:
            self._is_connecting = False
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
        """Looks at the stream, makes or changes it where asked to; returns what is wrong with it, if anything is."""
        try:
            return await self._look(make=make)
        except nats.js.errors.ServiceUnavailableError:
            return TryAgain(f"{self._where}: JetStream is not available there", None, "endpoint")
        except nats.js.errors.APIError as e:
            return self._paused(f"stream {self._config.stream}: {e.description} ({e.err_code})")
        except (nats.errors.Error, OSError) as e:
            return TryAgain(f"{self._where}: {clean(self._said or str(e))}", None, "endpoint")

    async def _look(self, *, make: bool) -> TryAgain | None:
        found = await self._stream(make=make)
        if not isinstance(found, StreamConfig):
            return found
        if (found.duplicate_window or 0) < WINDOW:
            known, remedy = found.duplicate_window or 0, f"`nats stream edit {self._config.stream} --dupe-window 8h`"
            return self._paused(f"stream {self._config.stream} knows ids for {known:g} s, not 8 h: {remedy}")
        if found.no_ack:
            reason = "acknowledges nothing (no_ack), so nobody could tell what it has"
            return self._paused(f"stream {self._config.stream} {reason}")
        self.is_atomic = bool(found.allow_atomic)
        return None

    async def _stream(self, *, make: bool) -> StreamConfig | TryAgain | None:
        """Returns the stream's settings, made or changed as they should be; None where `make` forbids a change."""
        context, name = self._connection.jetstream(timeout=self._config.timeout), self._config.stream
        try:
            found = (await context.stream_info(name)).config
        except nats.js.errors.NotFoundError:
            if not self._config.create:
                subjects = self._config.subject.replace(TICKET, "*")
                hint = f"nats stream add {name} --subjects '{subjects}' --dupe-window 8h"
                return self._paused(f"there is no stream {name}: set create = true, or `{hint}`")
            found = None
        if found is not None and ((found.duplicate_window or 0) >= WINDOW or not self._config.create):
            return found
        if not make:
            self.will_make = True
            return None
        if found is None:
            found = (await context.add_stream(self._wanted())).config
        if (found.duplicate_window or 0) < WINDOW:
            found = (await context.update_stream(found.evolve(duplicate_window=WINDOW))).config
        return found

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

    def _new_inbox(self) -> tuple[str, str]:
        """Returns the subject that answers come to, and its last word, which tells what they answer to."""
        token = str(next(self._tokens))
        return f"{self._inbox}.{token}", token

    async def _ask(self, commands: bytes, token: str, count: int) -> Sequence[PubAck | TryAgain]:
        """Sends commands and returns the stream's answers to them, or why there are none."""
        answers = self._waiting[token] = Answers(count)
        try:
            async with asyncio.timeout(self._config.timeout):
                await self._connection.send(commands)
                await answers.all_known
        except TimeoutError:
            answers.set_rest(TryAgain(f"{self._where}: {self._said or f'no answer within {self._config.timeout:g} s'}"))
        except (nats.errors.Error, OSError) as e:
            self._lose(clean(str(e)))
        finally:
            del self._waiting[token]
        return answers.known

    async def _answered(self, message: Msg) -> None:
        _, token, number = message.subject.rsplit(".", 2)
        if answers := self._waiting.get(token):
            answers.set(int(number), self._read(message))

    def _read(self, message: Msg) -> PubAck | TryAgain:
        if message.headers and message.headers.get("Status") == "503":
            self.is_lost = True  # so that the stream is looked at again
            return self._paused(f"no stream takes the subject {self._config.subject}")
        return read(message.data) or TryAgain(f"{self._where}: it is no JetStream that answers")

    def _meaning(self, answer: PubAck) -> Result:
        error = answer.error
        if error is None:
            return Delivered()
        reason = f"stream {self._config.stream}: {clean(error.description)} ({error.err_code})"
        if error.err_code in TOO_LARGE:
            return Rejected(reason)
        return TryAgain(reason, None, "endpoint", paused=error.err_code == OTHER_STREAM)

    async def _heard(self, error: Exception) -> None:
        """Takes the server's words beside its answers: what is not permitted gets no answer at all.

        While it connects it raises them, since nats-py would go on trying by itself. Afterwards it must not: nats-py
        calls it in the middle of closing, and would tell nobody of the end.
        """
        if self._is_connecting:
            raise error
        self._said = clean(str(error))
        if "ermission" in self._said:
            self._lose(self._said, paused=True)

    async def _closed(self) -> None:
        self._lose(self._said or "the connection was lost")

    def _lose(self, reason: str, *, paused: bool = False) -> None:
        """Ends every wait for an answer on this connection."""
        self.is_lost = True
        for answers in self._waiting.values():
            answers.set_rest(TryAgain(f"{self._where}: {reason}", None, "endpoint", paused=paused))

    def _paused(self, reason: str) -> TryAgain:
        return TryAgain(f"{self._where}: {clean(reason)}", None, "endpoint", paused=True)
