"""The websocket under the session: frames by callback, everything of one turn in one write, through proxies too.

Nothing here waits: a peer that reads nothing, or that says goodbye and stays, is dropped.
"""

import asyncio
import os
import ssl
from collections.abc import Callable, Generator
from typing import Any, cast

import websockets
from websockets.asyncio.client import ClientConnection
from websockets.frames import DATA_OPCODES, Opcode
from websockets.frames import Frame as WebSocketFrame
from websockets.protocol import State
from websockets.streams import StreamReader
from websockets.uri import parse_uri

from listener.feishu.network import Network
from listener.feishu.tunnel import HAPPY_EYEBALLS, open_tunnel
from listener.feishu.wire import framed, unframed

MAX_MESSAGE = 4 * 2**20  # bytes
MAX_UNSENT = 8 * 2**20  # bytes of acks that the peer does not read
CLOSE_TIMEOUT = 0.5  # seconds for the closing handshake
OnMessage = Callable[["FrameConnection", bytes, bool], None]
"""(connection, message, whether it came as text); raises nothing"""


class _Reader(StreamReader):
    """Says where in the stream the library is: it asks whether the stream ends before each frame, and only then."""

    between_frames = False

    def at_eof(self) -> Generator[None, None, bool]:
        self.between_frames = True
        ended = yield from super().at_eof()
        self.between_frames = False
        return ended


class FrameConnection(ClientConnection):
    """Hands each whole message to `on_message` at once: no queue, no task, no wake-up in between."""

    def __init__(self, *args: Any, on_message: OnMessage, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._reader = self.protocol.reader = _Reader()
        self.protocol.parser = self.protocol.parse()  # begins anew, with this reader
        next(self.protocol.parser)
        self._on_message = on_message
        self._parts: list[WebSocketFrame] = []
        self._outbox: list[bytes] = []
        self._unfinished = b""  # the beginning of a frame
        self._closing = False

    def post(self, message: bytes) -> None:
        """Sends it with all else of this turn of the loop, or drops it if the connection ends before."""
        if not self._outbox:
            self.loop.call_soon(self.flush)
        self._outbox.append(message)

    def process_event(self, event: Any) -> None:
        if type(event) is not WebSocketFrame or event.opcode not in DATA_OPCODES:
            super().process_event(event)
        elif event.fin and not self._parts:
            self._on_message(self, bytes(event.data), event.opcode is Opcode.TEXT)
        else:
            self._parts.append(event)  # the protocol bounds their sum by max_size
            if event.fin:
                parts, self._parts = self._parts, []
                whole = b"".join(bytes(part.data) for part in parts)
                self._on_message(self, whole, parts[0].opcode is Opcode.TEXT)

    def data_received(self, data: bytes) -> None:
        if self._unfinished or self._between_frames():
            messages, self._unfinished, data = unframed(self._unfinished + data)
            for message in messages:
                self._on_message(self, message, False)
        if data:
            super().data_received(data)
        if self.protocol.close_expected() and not self._closing:
            self._closing = True  # the peer is to end the TCP connection now; one that does not is not waited for
            self.loop.call_later(CLOSE_TIMEOUT, self.transport.abort)

    def _between_frames(self) -> bool:
        """Whether the next byte begins a frame, and that frame a message."""
        return self._reader.between_frames and self.protocol.state is State.OPEN and not self._parts

    def flush(self) -> None:
        """Sends what was posted now."""
        unsent, self._outbox = self._outbox, []
        if not unsent or self.protocol.state is not State.OPEN:
            return
        masks = os.urandom(4 * len(unsent))
        self.transport.write(b"".join(framed(m, masks[4 * i : 4 * i + 4]) for i, m in enumerate(unsent)))
        if self.transport.get_write_buffer_size() > MAX_UNSENT:
            self.transport.abort()


class _Connect(websockets.connect):
    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc  # never followed: the URL's query is a credential

    async def create_connection(self) -> ClientConnection:
        """The library's own way through a proxy leaks the socket when cancelled, and does not decode passwords."""
        if not isinstance(self.proxy, str):
            return await super().create_connection()
        uri, tls = parse_uri(self.uri), cast("ssl.SSLContext", self.connection_kwargs.get("ssl"))
        connection = self.protocol_factory(uri)
        transport = await open_tunnel(self.proxy, uri.host, uri.port, tls)
        try:
            transport.set_protocol(connection)
            if uri.secure:
                loop = asyncio.get_running_loop()
                secure = await loop.start_tls(transport, connection, tls, server_hostname=uri.host)
                transport = cast("asyncio.Transport", secure)
        except BaseException:
            transport.abort()
            raise
        connection.connection_made(transport)
        return connection


class Websockets:
    """Stands where the SDK expects the `websockets` module."""

    def __init__(self, network: Network, on_message: OnMessage) -> None:
        self._network, self._on_message = network, on_message

    def connect(self, url: str) -> Any:
        tls: dict[str, Any] = {"ssl": self._network.tls()} if url.startswith("wss:") else {}
        return _Connect(
            url,
            proxy=self._network.proxy_for(url),
            create_connection=cast("type[ClientConnection]", self._connection),
            compression=None,  # events are small; a peer can't make us inflate a bomb
            close_timeout=CLOSE_TIMEOUT,
            max_size=MAX_MESSAGE,
            happy_eyeballs_delay=HAPPY_EYEBALLS,
            **tls,
        )

    def _connection(self, *args: Any, **kwargs: Any) -> FrameConnection:
        return FrameConnection(*args, on_message=self._on_message, **kwargs)
