"""The SDK's ws Client, cut down to one connection. What runs of it, and what is overridden and why:

| the SDK's               | here                                                                              |
|-------------------------|-----------------------------------------------------------------------------------|
| `_get_conn_url`         | runs, in a daemon thread, over bounded requests: no wait without an end           |
| `_connect`              | runs, with a proxy, bounded; no redirects                                         |
| `_handle_control_frame` | runs                                                                              |
| `_configure`            | overridden: the server's timings inside sane limits                               |
| `_receive_message_loop` | overridden: frames come by callback, and the end of a connection is the caller's   |
| `_handle_data_frame`    | overridden in session.py: its ack would leave before the commit                   |
| `_reconnect`, `start`   | never called: the supervisor decides                                              |
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import websockets
from websockets.asyncio.client import ClientConnection
from websockets.frames import DATA_OPCODES, Opcode
from websockets.frames import Frame as WebSocketFrame

from listener.errors import SessionError, Unreachable
from listener.feishu.codes import endpoint_error, handshake_error
from listener.feishu.network import BoundedRequests, Network, is_loopback
from listener.feishu.sdk import ws_client

MAX_MESSAGE = 4 * 2**20  # bytes
CLOSE_TIMEOUT = 1.0  # seconds for the closing handshake
OnMessage = Callable[["FrameConnection", bytes, bool], None]
"""(connection, message, whether it came as text)"""


@dataclass
class Timings:
    """What the server may set, in seconds."""

    ping_interval: float = 120.0
    reconnect_nonce: float = 5.0

    def obey(self, ping_interval: object, reconnect_nonce: object) -> None:
        """Takes over what makes sense; ClientConfig comes partial, zero, negative and absurd."""
        if isinstance(ping_interval, int | float) and ping_interval > 0:
            self.ping_interval = min(max(float(ping_interval), 1.0), 300.0)
        if isinstance(reconnect_nonce, int | float):
            self.reconnect_nonce = min(max(float(reconnect_nonce), 0.0), 5.0)


class FrameConnection(ClientConnection):
    """Hands each whole message to `on_message` at once: no queue, no task, no wake-up in between."""

    def __init__(self, *args: Any, on_message: OnMessage, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._on_message = on_message
        self._parts: list[WebSocketFrame] = []

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


class _Connect(websockets.connect):
    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc  # never followed: the URL's query is a credential


class OneConnection:
    """Goes before the SDK's Client in the bases; see the table above."""

    timings: Timings
    url: str

    def fetch_url(self) -> str:
        """The endpoint call; blocks. Raises SessionError."""
        try:
            url = super()._get_conn_url()  # type: ignore[misc]  # the SDK's Client comes next in the bases
        except SessionError:
            raise
        except Exception as e:
            raise _endpoint_failed(e) from None
        self.url = checked_url(url)
        return self.url

    def _get_conn_url(self) -> str:
        return self.url

    async def _receive_message_loop(self) -> None:
        return

    def _configure(self, conf: Any) -> None:
        self.timings.obey(getattr(conf, "PingInterval", None), getattr(conf, "ReconnectNonce", None))


def new_client(app_id: str, secret: str, domain: str, network: Network, on_message: OnMessage) -> Any:
    """A client for one connection. One at a time: it owns the private copy's globals. Call inside a running loop."""
    sdk: Any = ws_client()
    sdk.loop = asyncio.get_running_loop()
    sdk.requests = BoundedRequests(network)
    sdk.ExpiringCache = lambda **_: None  # its clean-up task would outlive the connection
    sdk.websockets = _Websockets(network, on_message)
    sdk._ws_connect_kwargs = lambda _headers: {}
    sdk._parse_ws_conn_exception = _raise_refused
    cls = type("OneConnectionClient", (OneConnection, sdk.Client), {})
    client = cls(app_id, secret, domain=domain, log_level=sdk.LogLevel.WARNING)
    client.timings, client.url = Timings(), ""
    return client


class _Websockets:
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
            **tls,
        )

    def _connection(self, *args: Any, **kwargs: Any) -> FrameConnection:
        return FrameConnection(*args, on_message=self._on_message, **kwargs)


def checked_url(url: object) -> str:
    """The connection URL: wss, or ws to loopback, with the ids that the SDK reads. Raises Unreachable."""
    parts = urlsplit(url if isinstance(url, str) else "")
    if parts.scheme != "wss" and not (parts.scheme == "ws" and is_loopback(parts.hostname)):
        where = f"{parts.scheme}://{parts.netloc}" if parts.scheme else "none"
        raise Unreachable(f"the endpoint gave a connection URL that is not wss: {where}", cause="endpoint")
    query = parse_qs(parts.query)
    if not query.get("device_id") or not query.get("service_id", [""])[0].isdecimal():
        raise Unreachable("the endpoint gave a connection URL without device_id or service_id", cause="endpoint")
    return str(url)


def _endpoint_failed(error: Exception) -> SessionError:
    """By class name: the SDK's exceptions live in the private copy."""
    code = getattr(error, "code", None)
    match type(error).__name__:
        case "ServerException" if isinstance(code, int):
            return Unreachable(f"the endpoint answered {str(error)[:200]}", cause="endpoint")
        case "ClientException" if isinstance(code, int):
            return endpoint_error(code, str(error).removeprefix(f"{code}: "))
        case kind:
            return Unreachable(f"the endpoint's answer is not the documented one ({kind})", cause="endpoint")


def _raise_refused(refusal: websockets.exceptions.InvalidHandshake) -> None:
    headers = getattr(getattr(refusal, "response", None), "headers", {})
    status = headers.get("Handshake-Status", "")
    if not status.isdecimal():
        raise refusal
    auth_code = headers.get("Handshake-Autherrcode", "")
    known = int(auth_code) if auth_code.isdecimal() else None
    raise handshake_error(int(status), headers.get("Handshake-Msg", ""), known) from None
