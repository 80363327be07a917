"""One connection, from the endpoint call to the close. Whatever ends it is raised to the caller.

Every wait has an end. An ack leaves on the connection that brought the frame, or not at all; the acks that one
commit sets free leave in one write.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn, Protocol

from websockets.exceptions import InvalidHandshake, InvalidStatus, ProxyError, WebSocketException
from websockets.protocol import State

from listener.errors import Lost, SessionError, Unreachable
from listener.feishu.client import FrameConnection, Timings, new_client
from listener.feishu.fragments import BadFragment, Fragments
from listener.feishu.network import Network
from listener.feishu.sdk import ws_client

CONTROL, DATA = 0, 1
MAX_UNSENT = 8 * 2**20  # bytes of acks that the peer does not read
log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of every wait, in seconds."""

    endpoint: float = 8.0
    handshake: float = 8.0
    pong: float = 10.0
    close: float = 2.0


class Verdict(Protocol):
    """What the handler makes of an event: `reply` is called once, in the loop, with 200 or 500."""

    reply: Callable[[int], None]


class Handler(Protocol):
    """The SDK calls an event handler by this name, with the exact bytes of the payload."""

    def _do_without_validation(self, payload: bytes) -> Any: ...


class Session:
    """`open()`, then `listen()` until it raises SessionError, then `close()`, which may come at any time."""

    def __init__(
        self,
        app_id: str,
        secret: str,
        domain: str,
        handler: Handler,
        *,
        network: Network | None = None,
        limits: Limits | None = None,
        bad_frame: Callable[[str], None] = lambda reason: log.warning("frame dropped: %s", reason),
    ) -> None:
        self._limits = limits or Limits()
        self._client = new_client(app_id, secret, domain, network or Network(), self._on_message)
        self._client._event_handler = handler
        self._bad_frame = bad_frame
        self._fragments = Fragments()
        self._outbox: list[bytes] = []
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self.last_frame = 0.0  # monotonic seconds
        self.round_trip: float | None = None  # seconds from the last ping to the next frame
        self.events = 0

    @property
    def timings(self) -> Timings:
        """The server's, as far as they make sense."""
        timings: Timings = self._client.timings
        return timings

    @property
    def reconnect_nonce(self) -> float:
        """Seconds within which the server wants a lost client back."""
        return self.timings.reconnect_nonce

    @property
    def connection_id(self) -> str:
        """The platform's name for this connection."""
        return str(self._client._conn_id)

    async def open(self) -> None:
        """The endpoint call and the handshake. Raises SessionError."""
        await self._bounded(self._fetch_url(), self._limits.endpoint, "endpoint")
        await self._bounded(self._client._connect(), self._limits.handshake, "handshake")
        self.last_frame = self._loop.time()

    async def listen(self) -> NoReturn:
        """Answers frames until the connection ends, then says why. Raises Lost."""
        closed = asyncio.ensure_future(self._client._conn.wait_closed())
        heart = asyncio.ensure_future(self._heartbeat())
        try:
            await asyncio.wait({closed, heart}, return_when=asyncio.FIRST_COMPLETED)
            if heart.done() and (error := heart.exception()):
                raise error
            raise _closed(self._client._conn)
        finally:
            heart.cancel()
            closed.cancel()

    async def close(self) -> None:
        """Sends a close frame where there is a connection, and waits at most `limits.close` for the answer."""
        connection = self._client._conn
        if connection is None:
            return
        try:
            async with asyncio.timeout(self._limits.close):
                await connection.close()
        except (TimeoutError, OSError, WebSocketException):
            connection.transport.abort()

    async def _fetch_url(self) -> None:
        await self._loop.run_in_executor(None, self._client.fetch_url)

    async def _bounded(self, step: Any, seconds: float, cause: str) -> None:
        try:
            async with asyncio.timeout(seconds):
                await step
        except SessionError:
            raise
        except TimeoutError:
            raise Unreachable(f"{cause}: no answer within {seconds:g} s", cause=cause) from None
        except (OSError, WebSocketException, ValueError) as e:
            raise Unreachable(f"{cause}: {_in_words(e)}", cause=cause) from None  # texts may hold the URL

    async def _heartbeat(self) -> None:
        """Application pings: after each some frame must come, whatever the websocket's own keepalive says."""
        while True:
            sent = self._loop.time()
            self._send(ws_client()._new_ping_frame(int(self._client._service_id)).SerializeToString())
            await asyncio.sleep(min(self._limits.pong, self.timings.ping_interval))
            while self.last_frame < sent:
                if self._loop.time() - sent >= self._limits.pong:
                    raise Lost(f"no frame within {self._limits.pong:g} s of a ping", cause="silent")
                await asyncio.sleep(0.1)
            await asyncio.sleep(max(0.0, sent + self.timings.ping_interval - self._loop.time()))

    def _on_message(self, connection: FrameConnection, data: bytes, text: bool) -> None:
        self.last_frame = self._loop.time()
        try:
            if text:
                raise ValueError("a text message")  # noqa: TRY301 one place turns every bad frame into a line
            frame = ws_client().Frame.FromString(bytes(data))
            if frame.method == DATA:
                self._on_data(connection, frame)
            elif frame.method == CONTROL:
                self._spawn(self._client._handle_control_frame(frame))
            else:
                raise ValueError(f"unknown method {frame.method}")  # noqa: TRY301
        except Exception as e:
            self._bad_frame(f"{type(e).__name__}: {str(e)[:200]} ({len(data)} bytes)")

    def _on_data(self, connection: FrameConnection, frame: Any) -> None:
        started = time.monotonic()
        headers = {header.key: header.value for header in frame.headers}
        kind = headers["type"]
        payload = frame.payload
        if headers.get("sum", "1") != "1":
            whole = self._joined(headers, payload)
            if whole is None:
                return
            payload = whole
        reply = partial(self._ack, connection, frame, started)
        if kind != "event":  # cards and what is yet to come: not ours, and no reason to be pushed again
            self._bad_frame(f"a data frame of type {kind[:64]!r}, acked and dropped")
            reply(200)
        else:
            self.events += 1
            self._client._event_handler._do_without_validation(payload).reply = reply

    def _joined(self, headers: dict[str, str], part: bytes) -> bytes | None:
        try:
            total, index = int(headers["sum"]), int(headers.get("seq", "0"))
        except ValueError:
            raise BadFragment("sum or seq is not a number") from None
        if total == 0:
            return part
        return self._fragments.add(headers["message_id"], total, index, part, self._loop.time())

    def _ack(self, connection: FrameConnection, frame: Any, started: float, code: int) -> None:
        """The frame echoed, so that headers nobody knows route the answer; source: the SDK's client."""
        if connection.protocol.state is not State.OPEN:
            return
        frame.headers.add(key="biz_rt", value=str(round((time.monotonic() - started) * 1000)))
        frame.payload = b'{"code": %d}' % code
        self._send(frame.SerializeToString())

    def _send(self, data: bytes) -> None:
        if not self._outbox:
            self._loop.call_soon(self._flush)
        self._outbox.append(data)

    def _flush(self) -> None:
        connection, unsent, self._outbox = self._client._conn, self._outbox, []
        if connection is None or connection.protocol.state is not State.OPEN:
            return
        for data in unsent:
            connection.protocol.send_binary(data)
        connection.transport.write(b"".join(connection.protocol.data_to_send()))
        if connection.transport.get_write_buffer_size() > MAX_UNSENT:
            connection.transport.abort()

    def _spawn(self, step: Any) -> None:
        """The SDK's control handler is a coroutine that never waits."""
        task = self._loop.create_task(self._guarded(step))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, step: Any) -> None:
        try:
            await step
        except Exception as e:
            self._bad_frame(f"control frame: {type(e).__name__}: {str(e)[:200]}")


def _closed(connection: FrameConnection) -> Lost:
    code = connection.protocol.close_code
    if code is None or code == 1006:
        return Lost("the connection broke without a close frame", cause="broken")
    reason = (connection.protocol.close_reason or "")[:100]
    return Lost(f"closed with {code} {reason}".rstrip(), cause="closed")


def _in_words(error: Exception) -> str:
    match error:
        case InvalidStatus():
            return f"HTTP {error.response.status_code}"
        case ProxyError():
            return "the proxy refused or can't be reached"
        case InvalidHandshake():
            return type(error).__name__
        case OSError():
            return str(error)
        case _:
            return type(error).__name__
