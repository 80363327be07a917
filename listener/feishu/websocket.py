"""Speaks websocket under the session: frames by callback, everything of one turn in one write, through proxies too.

The library's sans-I/O protocol does the handshake and judges every frame but the plainest: a whole binary message of at
most 64 KiB, which is read and written here (wire.py). It is fed whole frames, so it never loses its place. Nothing here
waits: a peer that reads nothing, or that says goodbye and stays, is dropped.
"""

import asyncio
import os
import ssl
from collections.abc import Callable
from typing import Any, cast

from websockets.client import ClientProtocol
from websockets.frames import DATA_OPCODES, Opcode
from websockets.frames import Frame as WebSocketFrame
from websockets.http11 import USER_AGENT
from websockets.protocol import State
from websockets.uri import WebSocketURI, parse_uri

from listener.feishu.transport import Network
from listener.feishu.tunnel import HAPPY_EYEBALLS, open_tunnel
from listener.feishu.wire import framed, sizes, unframed

MAX_MESSAGE = 4 * 2**20  # bytes
MAX_UNSENT = 8 * 2**20  # bytes of acks that the peer does not read
MAX_HEAD = 64 * 1024  # bytes of the handshake's answer that are waited for
CLOSE_TIMEOUT = 0.5  # seconds for the closing handshake
KEEPALIVE = 20.0  # seconds between two pings of the websocket's own, and for the answer
_END_OF_HEAD = b"\r\n\r\n"
OnMessage = Callable[["FrameConnection", bytes, bool], None]
"""(connection, message, whether it came as text); raises nothing"""


class FrameConnection(asyncio.Protocol):
    """A websocket that hands each whole message to `on_message` at once: no queue, no task, no wake-up in between."""

    transport: asyncio.Transport

    def __init__(self, protocol: ClientProtocol, on_message: OnMessage, keepalive: float = KEEPALIVE) -> None:
        self._loop = asyncio.get_running_loop()
        self._protocol, self._on_message, self._keepalive = protocol, on_message, keepalive
        self._opened, self._closed = self._loop.create_future(), self._loop.create_future()
        self._parts: list[WebSocketFrame] = []
        self._outbox: list[bytes] = []
        self._rest = b""  # the beginning of a frame, or of the handshake's answer
        self._passing = 0  # bytes to come of a frame that is the library's business
        self._heard, self._closing = True, False
        self._timer: asyncio.TimerHandle | None = None
        self.oversized: int | None = None  # bytes that a message announced beyond MAX_MESSAGE

    @property
    def state(self) -> State:
        """Returns the library's view of the connection."""
        return self._protocol.state

    @property
    def close_code(self) -> int | None:
        """Returns the code of the peer's close frame, 1006 where none came, None while the connection is open."""
        return self._protocol.close_code

    @property
    def close_reason(self) -> str:
        """Returns the reason in the peer's close frame."""
        return self._protocol.close_reason or ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    async def handshake(self) -> None:
        """Sends the request and waits for the answer. Raises InvalidHandshake, and more that a peer can provoke."""
        request = self._protocol.connect()
        request.headers["User-Agent"] = USER_AGENT
        self._protocol.send_request(request)
        self._send_out()
        await self._opened
        self._timer = self._loop.call_later(self._keepalive, self._ping)

    def post(self, message: bytes) -> None:
        """Sends a message with all else of this turn of the loop; it is dropped if the connection ends before."""
        if not self._outbox:
            self._loop.call_soon(self.flush)
        self._outbox.append(message)

    def flush(self) -> None:
        """Sends what was posted now."""
        unsent, self._outbox = self._outbox, []
        if not unsent or self.state is not State.OPEN:
            return
        masks = os.urandom(4 * len(unsent))
        self.transport.write(b"".join(framed(m, masks[4 * i : 4 * i + 4]) for i, m in enumerate(unsent)))
        if self.transport.get_write_buffer_size() > MAX_UNSENT:
            self.abort()

    async def close(self) -> None:
        """Sends a close frame, and waits until the connection has ended."""
        if self.state is State.OPEN:
            self._protocol.send_close(1000)
            self._send_out()
        await self.wait_closed()

    async def wait_closed(self) -> None:
        """Waits until the TCP connection has ended."""
        await asyncio.shield(self._closed)

    def abort(self) -> None:
        """Ends the TCP connection without a close frame."""
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        self._heard = True
        if self._rest:
            data, self._rest = self._rest + data, b""
        while data:
            if self._passing:
                data = self._pass_on(data)
            elif self.state is State.OPEN:
                data = self._whole_messages(data)
            else:
                data = self._outside_frames(data)

    def eof_received(self) -> None:
        self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._end()
        if not self._closed.done():
            self._closed.set_result(None)

    def _end(self) -> None:
        self._protocol.receive_eof()
        self._take_in()

    def _pass_on(self, data: bytes) -> bytes:
        """Feeds the library the rest of the frame that it is reading; returns the bytes after it."""
        taken, rest = data[: self._passing], data[self._passing :]
        self._passing -= len(taken)
        self._feed(taken)
        return rest

    def _whole_messages(self, data: bytes) -> bytes:
        """Handles the whole binary messages at the beginning; returns the bytes after them."""
        if not self._parts:
            messages, self._rest, data = unframed(data)
            for message in messages:
                self._on_message(self, message, False)
        if not data:
            return b""
        if (found := sizes(data)) is None:
            self._rest = data
            return b""
        head, payload = found
        whole = payload + sum(len(part.data) for part in self._parts) * (data[0] & 0x0F == 0)
        if whole > MAX_MESSAGE:
            self.oversized = whole
        self._passing = head + payload
        return data

    def _outside_frames(self, data: bytes) -> bytes:
        """Feeds the library the handshake's answer, or what it ignores after a close; returns the bytes after that."""
        if self.state is State.CONNECTING and not self._opened.done():
            end = data.find(_END_OF_HEAD)
            if end < 0 and len(data) <= MAX_HEAD:
                self._rest = data
                return b""
            end = end + len(_END_OF_HEAD) if end >= 0 else len(data)
            self._feed(data[:end])
            return data[end:]
        self._feed(data)
        return b""

    def _feed(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        self._take_in()

    def _take_in(self) -> None:
        """Handles what the library made of its input."""
        for event in self._protocol.events_received():
            if isinstance(event, WebSocketFrame) and event.opcode in DATA_OPCODES:
                self._on_frame(event)
        self._send_out()
        if self._opened.done():
            return
        if self._protocol.handshake_exc is not None:
            self._opened.set_exception(self._protocol.handshake_exc)
        elif self.state is State.OPEN:
            self._opened.set_result(None)
        elif self.state is State.CLOSED:
            self._opened.set_exception(ConnectionResetError("the connection ended during the handshake"))

    def _on_frame(self, frame: WebSocketFrame) -> None:
        self._parts.append(frame)  # the library bounds their sum by max_size
        if frame.fin:
            parts, self._parts = self._parts, []
            whole = b"".join(bytes(part.data) for part in parts)
            self._on_message(self, whole, parts[0].opcode is Opcode.TEXT)

    def _send_out(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self.transport.write(data)
            else:
                self.transport.close()
        if self._protocol.close_expected() and not self._closing:
            self._closing = True  # the peer is to end the TCP connection now; one that does not is not waited for
            self._loop.call_later(CLOSE_TIMEOUT, self.abort)

    def _ping(self) -> None:
        """Sends the websocket's own keepalive; a peer that has sent nothing since the last ping is gone."""
        if self.state is not State.OPEN:
            return
        if not self._heard:
            self._protocol.fail(1011, "keepalive ping timeout")
            self._send_out()
            return
        self._heard = False
        self._protocol.send_ping(b"")
        self._send_out()
        self._timer = self._loop.call_later(self._keepalive, self._ping)


class Websockets:
    """Stands where the SDK expects the `websockets` module; it opens our own connection instead."""

    def __init__(self, network: Network, on_message: OnMessage) -> None:
        self._network, self._on_message = network, on_message

    async def connect(self, url: str) -> FrameConnection:
        """Returns a connection after its handshake. It follows no redirect, since the URL's query is a credential."""
        uri = parse_uri(url)
        tls = self._network.tls() if uri.secure else None
        # no extensions: events are small, and a peer can't make us inflate a bomb
        connection = FrameConnection(ClientProtocol(uri, max_size=MAX_MESSAGE), self._on_message)
        proxy = self._network.proxy_for(url)
        try:
            await (_directly(connection, uri, tls) if proxy is None else _through(proxy, connection, uri, tls))
            await connection.handshake()
        except BaseException:
            if hasattr(connection, "transport"):
                connection.abort()
            raise
        return connection


async def _directly(connection: FrameConnection, uri: WebSocketURI, tls: ssl.SSLContext | None) -> None:
    wanted: dict[str, Any] = {"ssl": tls, "happy_eyeballs_delay": HAPPY_EYEBALLS}
    await asyncio.get_running_loop().create_connection(lambda: connection, uri.host, uri.port, **wanted)


async def _through(proxy: str, connection: FrameConnection, uri: WebSocketURI, tls: ssl.SSLContext | None) -> None:
    transport = await open_tunnel(proxy, uri.host, uri.port, tls)
    try:
        transport.set_protocol(connection)
        if tls is not None:
            loop = asyncio.get_running_loop()
            secure = await loop.start_tls(transport, connection, tls, server_hostname=uri.host)
            transport = cast("asyncio.Transport", secure)
    except BaseException:
        transport.abort()
        raise
    connection.connection_made(transport)
