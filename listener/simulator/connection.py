"""Serves one TCP connection to the stand-in: an HTTP request, then perhaps a websocket for the rest of its life."""

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Callable
from typing import Literal, Protocol

from listener.simulator import http1, pipe, websocket_codec
from listener.simulator.faults import Faults, Reply
from listener.simulator.http1 import BadRequest, HttpRequest, RequestReader
from listener.simulator.websocket_codec import FrameReader, ProtocolViolation, WebSocketMessage

Ending = Literal["reset", "fin", "close"]

REQUEST_TIMEOUT = 30.0  # s for a whole HTTP request
CLOSE_TIMEOUT = 1.0  # s for the client's half of a close
CHUNK = 256 << 10  # bytes handed to the transport at once while its buffer is full

_ids = itertools.count(1)


class ConnectionOwner(Protocol):
    """What a connection tells the platform."""

    faults: Faults

    def on_tcp_open(self, connection: "Connection") -> None: ...
    def on_request(self, connection: "Connection", request: HttpRequest) -> None: ...
    def on_messages(self, connection: "Connection", messages: list[WebSocketMessage]) -> None: ...
    def on_client_close(self, connection: "Connection", code: int, reason: str) -> None: ...
    def on_closing(self, connection: "Connection") -> None: ...
    def on_tcp_lost(self, connection: "Connection") -> None: ...


class Connection(asyncio.Protocol):
    """The server's end of one long connection: HTTP request, handshake, then frames.

    `open` holds from the handshake to the first sign of an end, whoever gives it.
    """

    def __init__(self, owner: ConnectionOwner) -> None:
        self.id = next(_ids)
        self.open = False
        self.silenced = False
        self.zombie = False  # answers pings, and no event is sent through it
        self.app_id = ""
        self._owner = owner
        self._request = RequestReader()
        self._frames: FrameReader | None = None
        self._backlog: deque[bytes] = deque()
        self._paused = False
        self._timer: asyncio.TimerHandle | None = None

    # The HTTP half

    def answer(self, answer: Reply) -> None:
        """Sends the answer and ends the connection as it says."""
        now = time.time() + self._owner.faults.clock_skew
        data = answer.raw
        if data is None:
            data = http1.response(answer.status, answer.body, answer.headers, now=now)
        self._later(None)
        if answer.drip:
            self._drip(data, answer)
        else:
            self.write(data)
            self._end(answer.end)

    def upgrade(self, request: HttpRequest) -> None:
        """Makes the connection speak websocket from here on."""
        accept = websocket_codec.accept_key(request.headers.get("sec-websocket-key", ""))
        fields = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": accept}
        self._later(None)
        self.write(http1.head(101, fields))
        self._frames = FrameReader()
        self.open = True
        self.zombie = self._owner.faults.take_zombie()

    # The websocket half

    def send(self, data: bytes, *, text: bool = False) -> None:
        """Sends one websocket message."""
        self.write(websocket_codec.encode(websocket_codec.TEXT if text else websocket_codec.BINARY, data))

    def write(self, data: bytes) -> None:
        """Writes bytes to the socket as they are; a silenced connection swallows them."""
        if self._frames is not None and self._owner.faults.connected == "silent":
            self.silence()
        if self.silenced:
            return
        if self._paused:
            self._backlog.append(data)
        else:
            self.transport.write(data)

    def silence(self) -> None:
        """Makes the connection half-open from now on: nothing is read, nothing is sent, and no FIN."""
        self.silenced = True
        self._backlog.clear()
        if not self.transport.is_closing():
            self.transport.pause_reading()

    def cut(self, how: Ending = "reset", code: int = 1000, reason: str = "") -> None:
        """Ends the connection by RST, by a FIN without a goodbye, or by a close frame."""
        self._closing()
        if how == "close":
            self.write(websocket_codec.encode_close(code, reason))
            self._later(CLOSE_TIMEOUT, self.abort)
        else:
            self._end(how)

    def abort(self) -> None:
        """Ends the connection by RST, whatever state it is in."""
        self._later(None)
        self._closing()
        pipe.reset(self.transport)

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 -- create_server promises it
        self.transport = transport
        self._later(REQUEST_TIMEOUT, self.abort)
        self._owner.on_tcp_open(self)

    def data_received(self, data: bytes) -> None:
        if self._frames is None:
            self._receive_request(data)
        elif self._owner.faults.connected == "silent":
            self.silence()
        else:
            self._receive_frames(self._frames, data)

    def eof_received(self) -> bool:
        self._closing()
        return self.silenced  # a half-open peer does not notice

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        # Small pieces: before Python 3.12 a transport moves its whole buffer at each partial send.
        self._paused = False
        while self._backlog and not self._paused:
            pieces, size = [], 0
            while self._backlog and size < CHUNK:
                pieces.append(self._backlog.popleft())
                size += len(pieces[-1])
            self.transport.write(b"".join(pieces))

    def connection_lost(self, exc: Exception | None) -> None:
        self._later(None)
        self._backlog.clear()
        self._closing()
        self._owner.on_tcp_lost(self)

    def _receive_request(self, data: bytes) -> None:
        try:
            request = self._request.feed(data)
        except BadRequest as error:
            self.answer(Reply(400, str(error).encode()))
            return
        if request is not None:
            self._owner.on_request(self, request)
            if self._frames is not None and self._request.rest:
                self._receive_frames(self._frames, self._request.rest)

    def _receive_frames(self, frames: FrameReader, data: bytes) -> None:
        try:
            messages = frames.feed(data)
        except ProtocolViolation as error:
            self.cut("close", error.code, str(error))
            return
        if self._owner.faults.connected == "deaf":
            return
        control = [message for message in messages if message.opcode >= websocket_codec.CLOSE]
        if control:
            messages = [message for message in messages if message.opcode < websocket_codec.CLOSE]
        if messages:
            self._owner.on_messages(self, messages)
        for message in control:
            self._control(message)

    def _control(self, message: WebSocketMessage) -> None:
        if message.opcode == websocket_codec.PING:
            self.write(websocket_codec.encode(websocket_codec.PONG, message.data))
        elif message.opcode == websocket_codec.CLOSE:
            if self.open:
                code, reason = websocket_codec.parse_close(message.data)
                self._owner.on_client_close(self, code, reason)
                self.write(websocket_codec.encode(websocket_codec.CLOSE, message.data))
            self._closing()
            self._end("fin")

    def _closing(self) -> None:
        if self.open:
            self.open = False
            self._owner.on_closing(self)

    def _end(self, how: Literal["fin", "reset", "hang"]) -> None:
        if how == "reset":
            self.abort()
        elif how == "fin":
            self._fin()

    def _fin(self) -> None:
        self._later(REQUEST_TIMEOUT if self._frames is None else CLOSE_TIMEOUT, self.abort)
        if self.transport.can_write_eof() and not self.transport.is_closing():
            self._flush()
            self.transport.write_eof()
        else:
            self.transport.close()

    def _flush(self) -> None:
        if self._backlog:
            self.transport.write(b"".join(self._backlog))
            self._backlog.clear()

    def _drip(self, data: bytes, answer: Reply) -> None:
        if self.transport.is_closing():
            return
        self.write(data[:1])
        if len(data) > 1:
            self._later(answer.drip, lambda: self._drip(data[1:], answer))
        else:
            self._end(answer.end)

    def _later(self, seconds: float | None, call: Callable[[], None] | None = None) -> None:
        """Arms the connection's one timer, or with None disarms it."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if seconds is not None and call is not None:
            self._timer = asyncio.get_running_loop().call_later(seconds, call)
