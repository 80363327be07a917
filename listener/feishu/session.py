"""Runs one connection, from the endpoint call to the close. Whatever ends it is raised to the caller.

Every wait has an end. An ack leaves on the connection that brought the frame, or not at all; the acks of one commit
leave in one write.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, NoReturn, Protocol

from websockets.exceptions import WebSocketException

from listener.base.errors import ListenError, Lost, Unreachable
from listener.base.logs import RateLimit, get_logger
from listener.feishu.client import Timings
from listener.feishu.close_reasons import in_words, why_closed
from listener.feishu.fragments import BadFragment, Fragments
from listener.feishu.sdk import frame_type, new_client
from listener.feishu.transport import TLS_HINT, Network
from listener.feishu.websocket import FrameConnection

CONTROL, DATA = 0, 1
KEPT = 200
log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of every wait, in seconds."""

    endpoint: float = 10.0
    handshake: float = 10.0
    pong: float = 10.0
    probe: float = 2.0  # for a pong after `probe()`
    close: float = 1.0


class Verdict(Protocol):
    """An event that the handler took: the session sets `reply`, which is called once, in the loop, with 200 or 500."""

    reply: Callable[[int], None]


class Handler(Protocol):
    """Takes the exact bytes of a payload and returns the event, of which the session sets `reply`."""

    def receive(self, payload: bytes) -> Any: ...


class BadFrame(ValueError):
    """A frame makes no sense; it is dropped and the connection lives on."""


class BadFrames:
    """Logs dropped frames, a few a minute at most, however many there are."""

    def __init__(self) -> None:
        self._limit = RateLimit()

    def __call__(self, reason: str) -> None:
        if (kept_back := self._limit.take()) is not None:
            log.warning("frame dropped", because=reason, more_since_last=kept_back or None)


class Session:
    """One connection to the platform from its opening to its end.

    `open()` it, then `listen()` until that raises SessionError, then `close()` it, which may be called at any time.
    """

    def __init__(
        self,
        app_id: str,
        secret: str,
        domain: str,
        handler: Handler,
        *,
        network: Network | None = None,
        limits: Limits | None = None,
        bad_frame: Callable[[str], None] | None = None,
    ) -> None:
        self._limits = limits or Limits()
        self._client = new_client(app_id, secret, domain, network or Network(), self.on_message)
        self._handler = handler
        self._bad_frame = bad_frame or BadFrames()
        self._new_frame = frame_type()
        self._fragments = Fragments()
        self._loop = asyncio.get_running_loop()
        self._pinged = self._last_frame = 0.0  # loop's clock
        self.round_trip: float | None = None  # seconds from the last ping to the next frame
        self.delivered = 0  # frames answered with 200
        self.unanswered = 0  # events that wait for their answer
        self._heard_first, self._event_came, self._probing = asyncio.Event(), asyncio.Event(), asyncio.Event()

    @property
    def timings(self) -> Timings:
        """Returns the server's timings, as far as they make sense."""
        return self._client.timings

    @property
    def reconnect_nonce(self) -> float:
        """Returns the seconds within which the server wants a lost client back."""
        return self.timings.reconnect_nonce

    @property
    def connection_id(self) -> str:
        """Returns the platform's name for this connection."""
        return self._client.connection_id

    @property
    def connection(self) -> FrameConnection | None:
        """Returns the websocket, once it is open."""
        return self._client.connection

    @property
    def fresh(self) -> bool:
        """Returns whether the platform has been heard since the last ping, or still has time to answer it."""
        return self._last_frame >= self._pinged or self._loop.time() - self._pinged < self._limits.pong

    async def open(self) -> None:
        """Calls the endpoint and does the handshake. Raises SessionError, or ConfigError for an unprotected secret."""
        url = self._loop.run_in_executor(None, self._client.fetch_url)
        await self._bounded(url, self._limits.endpoint, "endpoint")
        await self._bounded(self._client.connect(), self._limits.handshake, "handshake")

    async def listen(self) -> NoReturn:
        """Answers frames until the connection ends. Raises Lost, which says why."""
        connection = self.connection
        if connection is None:
            raise Lost("there is no connection", cause="broken")
        closed = asyncio.ensure_future(connection.wait_closed())
        heart = asyncio.ensure_future(self._heartbeat(connection))
        try:
            await asyncio.wait({closed, heart}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            heart.cancel()
            closed.cancel()
        connection.abort()  # nobody is there to say goodbye to
        raise (heart.exception() if heart.done() else None) or why_closed(connection)

    async def proven(self) -> None:
        """Waits for the first frame, for which `listen()` asks by its ping."""
        await self._heard_first.wait()

    async def next_event(self, within: float) -> None:
        """Waits for the next event, or for `within` seconds."""
        self._event_came.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._event_came.wait(), within)

    def probe(self) -> None:
        """Sends a ping now; if no frame comes within `limits.probe` seconds, the connection counts as lost."""
        self._probing.set()

    async def close(self) -> None:
        """Sends a close frame where there is a connection, and waits at most `limits.close` for the answer."""
        connection = self.connection
        if connection is None:
            return
        connection.flush()  # acks that were due in this turn
        try:
            with suppress(TimeoutError, OSError, WebSocketException):
                async with asyncio.timeout(self._limits.close):
                    await connection.close()
        finally:
            connection.abort()

    async def _bounded(self, step: Awaitable[Any], seconds: float, cause: str) -> None:
        """Awaits a step for so many seconds; raises Unreachable for whatever a peer can provoke, and shows no URL."""
        try:
            async with asyncio.timeout(seconds):
                await step
        except ListenError:
            raise
        except TimeoutError:
            raise Unreachable(f"{cause}: no answer within {seconds:g} s", cause=cause) from None
        except Exception as e:
            log.debug("opening failed", exc_info=e)
            hint = TLS_HINT if isinstance(e, ssl.SSLError) else ""
            raise Unreachable(f"{cause}: {in_words(e)}", cause=cause, hint=hint) from None

    async def _heartbeat(self, connection: FrameConnection) -> None:
        """Sends application pings: after each some frame must come, whatever the websocket's own keepalive says."""
        ping = self._client.ping()
        while True:
            patience = self._limits.probe if self._probing.is_set() else self._limits.pong
            self._probing.clear()
            self._pinged = self._loop.time()
            connection.post(ping)
            await self._until(self._pinged + min(patience, self.timings.ping_interval))
            if self._last_frame < self._pinged:
                await self._until(self._pinged + patience)
            if self._last_frame < self._pinged and not self._probing.is_set():
                raise Lost(f"no frame within {patience:g} s of a ping", cause="silent")
            await self._until(self._pinged + self.timings.ping_interval)

    async def _until(self, moment: float) -> None:
        """Waits until that time, or until a probe is asked for."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._probing.wait(), max(0.0, moment - self._loop.time()))

    def on_message(self, connection: FrameConnection, data: bytes, text: bool) -> None:
        """Takes one message of the websocket; what makes no sense is counted and dropped."""
        self._heard()
        try:
            if text:
                raise BadFrame("a text message")  # noqa: TRY301 one place turns every bad frame into a line
            self._dispatch(connection, self._new_frame.FromString(data))
        except Exception as e:
            self._bad_frame(f"{type(e).__name__}: {str(e)[:200]} ({len(data)} bytes)")

    def _heard(self) -> None:
        now = self._loop.time()
        if self._last_frame < self._pinged:
            self.round_trip = now - self._pinged
        self._last_frame = now
        self._heard_first.set()

    def _dispatch(self, connection: FrameConnection, frame: Any) -> None:
        if frame.method == DATA:
            self._on_data(connection, frame)
        elif frame.method == CONTROL:
            self._client.control(frame)
        else:
            raise BadFrame(f"unknown method {frame.method}")

    def _on_data(self, connection: FrameConnection, frame: Any) -> None:
        kind, parts = _kind_and_parts(frame)
        payload = frame.payload if parts == "1" else self._joined(frame, parts)
        if payload is None:
            return
        frame.ClearField("payload")  # what waits for its ack is in memory once, not twice: 3 MB of 1,024 events
        self.unanswered += 1
        self._event_came.set()
        reply = partial(self._ack, connection, frame.SerializeToString(), self._last_frame)
        if kind == "event":
            self._handler.receive(payload).reply = reply
        else:  # cards, and types yet to come: not for us, and no reason for another push
            reply(KEPT)
            raise BadFrame(f"its type is {kind[:64]!r}; acked all the same")

    def _joined(self, frame: Any, parts: str) -> bytes | None:
        part: bytes = frame.payload
        try:
            total, index = int(parts), int(_header(frame, "seq", "0"))
        except ValueError:
            raise BadFragment("sum or seq is not a number") from None
        if total == 0:
            return part
        return self._fragments.add(_header(frame, "message_id"), total, index, part, self._loop.time())

    def _ack(self, connection: FrameConnection, echo: bytes, started: float, code: int) -> None:
        """Sends the frame back with the code, so that headers which nobody knows route it; source: the SDK's client.

        Messages one after the other are one message (https://protobuf.dev/programming-guides/encoding/#last-one-wins).
        """
        self.delivered += code == KEPT
        self.unanswered -= 1
        connection.post(echo + _answer(code, round((self._loop.time() - started) * 1000)))


@lru_cache(maxsize=1024)  # few are different: 0.1 µs an ack, not 1.4
def _answer(code: int, milliseconds: int) -> bytes:
    """Returns what an ack's frame has beyond the received one."""
    answer = frame_type()()
    answer.headers.add(key="biz_rt", value=str(milliseconds))
    answer.payload = b'{"code": %d}' % code
    return bytes(answer.SerializePartialToString())


def _kind_and_parts(frame: Any) -> tuple[str, str]:
    """Returns the headers `type` and `sum` in one walk: looking at a header costs as much as most steps here."""
    kind = parts = None
    for header in frame.headers:
        key = header.key
        if key == "type" and kind is None:
            kind = header.value
        elif key == "sum":
            parts = header.value
            break
    return _header(frame, "type") if kind is None else kind, "1" if parts is None else parts


def _header(frame: Any, name: str, default: str | None = None) -> str:
    """Returns the value of the first header of that name. Raises BadFrame where there is none."""
    for header in frame.headers:
        if header.key == name:
            return str(header.value)
    if default is None:
        raise BadFrame(f"no header {name!r}")
    return default
