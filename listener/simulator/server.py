"""The stand-in of Feishu's long-connection platform: real sockets, the real protocol, on loopback.

    async with Platform() as platform:              # FEISHU_DOMAIN=platform.url
        await platform.connected()
        delivery = platform.push({"schema": "2.0", ...})
        await delivery.acked()

One port serves the endpoint, the websocket and the HTTP APIs. It is not thread-safe: use it in its own event loop, or
through `PlatformThread`.
"""

import asyncio
import json
import random
import ssl
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Any, Self

import listener.simulator.tickets_api  # noqa: F401 it registers its routes
from listener.simulator import frames
from listener.simulator.connection import Connection, Ending
from listener.simulator.delivery import Delivery, new_delivery
from listener.simulator.dispatcher import ACK_TIMEOUT, SCHEDULE, Dispatcher
from listener.simulator.faults import ENDPOINT_PATH, SOCKET_PATH, Faults
from listener.simulator.flood import Flood, FloodResult, PayloadFactory, default_payload
from listener.simulator.frames import CONTROL, Frame
from listener.simulator.gateway import Gateway
from listener.simulator.http1 import HttpRequest
from listener.simulator.openapi import Tenant
from listener.simulator.push_endpoint import PUSH_PATH, PushEndpoint
from listener.simulator.watch import TIMEOUT, Watch
from listener.simulator.websocket_codec import WebSocketMessage

LOG_LIMIT = 10_000  # requests, closes and odd messages kept for inspection

_Closing = tuple[int, int, str]  # connection id, close code, reason


class Platform:
    """`faults`, `gateway` and `api` are its settings, changeable at any time; the rest is for looking at.

    Args:
        ack_timeout: seconds until an unanswered push counts as failed.
        schedule: delays in seconds before each redelivery; its length is their greatest number.
        scale: factor on every delay of the schedule.
        tls: serve https and wss with this context.
    """

    def __init__(
        self,
        *,
        credentials: Mapping[str, str] | None = None,
        ack_timeout: float = ACK_TIMEOUT,
        schedule: Sequence[float] = SCHEDULE,
        scale: float = 1.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.faults = Faults()
        self.gateway = Gateway() if credentials is None else Gateway(credentials=dict(credentials))
        self.api = Tenant(self.gateway.credentials, online=lambda: len(self.connections))
        self.watch = Watch()
        self.control = PushEndpoint(self.push)
        delays = [delay * scale for delay in schedule]
        self.dispatcher = Dispatcher(self.pick, self.watch, ack_timeout=ack_timeout, schedule=delays)
        self.acks, self.stray_acks = self.dispatcher.acks, self.dispatcher.stray_acks
        self.connections: list[Connection] = []
        self.endpoint_calls: deque[HttpRequest] = deque(maxlen=LOG_LIMIT)
        self.handshakes: deque[HttpRequest] = deque(maxlen=LOG_LIMIT)
        self.api_calls: deque[HttpRequest] = deque(maxlen=LOG_LIMIT)
        self.clean_closes: deque[_Closing] = deque(maxlen=LOG_LIMIT)
        self.garbage: deque[bytes] = deque(maxlen=LOG_LIMIT)  # messages that are no frame, or no known one
        self.counts: Counter[str] = Counter()  # accepted, refused, pings, pongs
        self.host, self.port = "127.0.0.1", 0
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._sockets: set[Connection] = set()
        self._flood: Flood | None = None

    # Life

    @property
    def url(self) -> str:
        """Returns what FEISHU_DOMAIN is set to."""
        return f"{'https' if self._tls else 'http'}://{self.host}:{self.port}"

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> Self:
        """Listens; port 0 takes a free one. May be called again after `close()`."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), host, port, ssl=self._tls, backlog=1024)
        self.host, self.port = host, self._server.sockets[0].getsockname()[1]
        return self

    async def close(self) -> None:
        """Stops listening and resets every connection; nothing is left behind."""
        self.dispatcher.close()
        self.control.close()
        if self._server is not None:
            self._server.close()
        for connection in list(self._sockets):
            connection.abort()
        await self.watch.until(lambda: not self._sockets, "all connections gone")
        self._server = None

    async def __aenter__(self) -> Self:
        return self if self._server else await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # Events

    def push(
        self,
        payload: bytes | Mapping[str, Any],
        *,
        parts: int = 1,
        order: Sequence[int] | None = None,
        message_type: str = "event",
        headers: Mapping[str, str] | None = None,
    ) -> Delivery:
        """Pushes an event to one random connection, and again until it is acked; see `Delivery`."""
        delivery = new_delivery(payload, parts=parts, order=order, message_type=message_type, headers=headers)
        self.dispatcher.push(delivery)
        if isinstance(payload, Mapping):
            self.api.desk.note(payload)
        return delivery

    def repeat(self, delivery: Delivery) -> None:
        """Pushes the event once more, acked or not."""
        self.dispatcher.repeat(delivery)

    async def flood(
        self, count: int, unacked: int = 64, payload_factory: PayloadFactory = default_payload
    ) -> FloodResult:
        """Keeps `unacked` events in flight until `count` are acked; see `flood.py`."""
        if self._flood is not None:
            raise RuntimeError("one flood at a time")
        await self.connected()
        self._flood = Flood(self, count, unacked, payload_factory)
        try:
            return await self._flood.run()
        finally:
            self._flood = None

    # Connections

    async def connected(self, n: int = 1, within: float = TIMEOUT) -> None:
        """Waits until n connections are open."""
        await self.watch.until(lambda: len(self.connections) >= n, f"{n} connections open", within)

    def pick(self) -> Connection | None:
        """Returns a random open connection; one that fell silent only where there is no other."""
        routed = [one for one in self.connections if not one.zombie]
        live = [one for one in routed if not one.silenced] or routed
        return random.choice(live) if live else None

    def silence(self) -> None:
        """Turns every open connection half-open at once; new ones are served as `faults.connected` says."""
        for connection in self.connections:
            connection.silence()

    def zombify(self) -> None:
        """Leaves every open connection answering pings, but sends no more events through it; new ones work."""
        for connection in self.connections:
            connection.zombie = True

    async def cut(
        self,
        connection: Connection | None = None,
        *,
        how: Ending = "reset",
        code: int = 1000,
        reason: str = "",
    ) -> None:
        """Ends one connection, or all; returns when they are gone."""
        ending = [connection] if connection else list(self.connections)
        for one in ending:
            one.cut(how, code, reason)
        await self.watch.until(lambda: not self._sockets.intersection(ending), "the connections are gone")

    def send_raw(self, data: bytes, *, text: bool = False) -> None:
        """Sends one websocket message of any content to every open connection."""
        for connection in self.connections:
            connection.send(data, text=text)

    # What connections report

    def on_tcp_open(self, connection: Connection) -> None:
        self._sockets.add(connection)

    def on_request(self, connection: Connection, request: HttpRequest) -> None:
        logs = {ENDPOINT_PATH: self.endpoint_calls, SOCKET_PATH: self.handshakes}
        logs.get(request.path, self.api_calls).append(request)
        if (scripted := self.faults.scripted(request.path)) is not None:
            connection.answer(scripted)
        elif request.path == SOCKET_PATH:
            self._handshake(connection, request)
        elif request.path == ENDPOINT_PATH:
            connection.answer(self.gateway.endpoint(request, tls=self._tls is not None))
        elif request.path == PUSH_PATH:
            self.control.take(connection, request)
        else:
            connection.answer(self.api.handle(request))
        self.watch.changed()

    def on_messages(self, connection: Connection, messages: list[WebSocketMessage]) -> None:
        if self._flood is not None:
            messages = self._flood.take(connection, messages)
        for message in messages:
            self._receive(connection, message.data)
        if messages:
            self.watch.changed()

    def on_client_close(self, connection: Connection, code: int, reason: str) -> None:
        self.clean_closes.append((connection.id, code, reason))

    def on_closing(self, connection: Connection) -> None:
        self.connections.remove(connection)
        self.dispatcher.on_closing(connection)
        if self._flood is not None:
            self._flood.on_closing(connection)
        self.watch.changed()

    def on_tcp_lost(self, connection: Connection) -> None:
        self._sockets.discard(connection)
        self.watch.changed()

    def _handshake(self, connection: Connection, request: HttpRequest) -> None:
        open_now = Counter(one.app_id for one in self.connections)
        connection.app_id, refusal = self.gateway.handshake(request, open_now)
        if refusal is not None:
            self.counts["refused"] += 1
            connection.answer(refusal)
            return
        self.counts["accepted"] += 1
        connection.upgrade(request)
        self.connections.append(connection)
        self.dispatcher.on_open()
        if self._flood is not None:
            self._flood.refill()

    def _receive(self, connection: Connection, data: bytes) -> None:
        try:
            frame = frames.decode(data)
        except ValueError:
            self.garbage.append(data)
            return
        if frame.method != CONTROL:
            self.dispatcher.on_ack(connection, frame)
        elif frame.header("type") == "ping":
            self._pong(connection, frame)
        else:
            self.garbage.append(data)

    def _pong(self, connection: Connection, ping: Frame) -> None:
        self.counts["pings"] += 1
        if self.faults.connected == "serve":
            config = self.gateway.client_config
            payload = b"" if config is None else json.dumps(config).encode()
            pong = Frame(service=ping.service, headers=[("type", "pong")], payload=payload)
            connection.send(frames.encode(pong))
            self.counts["pongs"] += 1
