"""The SDK's ws Client, cut down to one connection. What runs of it, and what is overridden and why:

| the SDK's               | here                                                                              |
|-------------------------|-----------------------------------------------------------------------------------|
| `_get_conn_url`         | runs, in a daemon thread, over bounded requests: no wait without an end           |
| `_connect`              | runs, with a proxy, bounded; no redirects                                         |
| `_handle_control_frame` | runs                                                                              |
| `_configure`            | overridden: the server's timings inside sane limits                               |
| `_receive_message_loop` | overridden: frames come by callback, and the end of a connection is the caller's  |
| `_handle_data_frame`    | replaced in session.py: its ack would leave before the commit                     |
| `_reconnect`, `start`   | never called: the supervisor decides                                              |
"""

import asyncio
import math
import re
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeGuard
from urllib.parse import parse_qs, urlsplit

from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake

from listener.base.errors import ListenError, SessionError, Unreachable
from listener.feishu.codes import endpoint_error, handshake_error
from listener.feishu.network import BoundedRequests, Network, is_loopback
from listener.feishu.sdk import ws_client
from listener.feishu.websocket import OnMessage, Websockets

MAX_SERVICE_ID = 2**31 - 1  # the ping frame's field is an int32


@dataclass
class Timings:
    """What the server may set, in seconds."""

    ping_interval: float = 120.0
    reconnect_nonce: float = 5.0

    def obey(self, ping_interval: object, reconnect_nonce: object) -> None:
        """Takes over what makes sense; ClientConfig comes partial, zero, negative and absurd."""
        if _is_number(ping_interval) and ping_interval > 0:
            self.ping_interval = float(min(max(ping_interval, 1), 300))
        if _is_number(reconnect_nonce):
            self.reconnect_nonce = float(min(max(reconnect_nonce, 0), 5))


def _is_number(value: object) -> TypeGuard[float]:
    return type(value) is int or (type(value) is float and not math.isnan(value))


class OneConnection:
    """Goes before the SDK's Client in the bases; see the table above."""

    timings: Timings
    url: str

    def fetch_url(self) -> str:
        """The endpoint call; blocks. Raises SessionError, and ConfigError where the secret would go out unprotected."""
        try:
            url = super()._get_conn_url()  # type: ignore[misc]  # the SDK's Client comes next in the bases
        except ListenError:
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
    """A client for one connection. Only one opens at a time: it owns the copy's globals until it is open."""
    sdk: Any = ws_client()
    sdk.loop = asyncio.get_running_loop()
    sdk.requests = BoundedRequests(network)
    sdk.ExpiringCache = lambda **_: None  # its clean-up task would outlive the connection
    sdk.websockets = Websockets(network, on_message)
    sdk._ws_connect_kwargs = lambda _headers: {}
    sdk._parse_ws_conn_exception = raise_refused
    client = _client_class()(app_id, secret, domain=domain, log_level=sdk.LogLevel.WARNING)
    client.timings, client.url = Timings(), ""
    return client


@cache
def _client_class() -> Any:
    return type("OneConnectionClient", (OneConnection, ws_client().Client), {})


def checked_url(url: object) -> str:
    """The connection URL: wss, or ws to loopback, with the ids that the SDK reads. Raises Unreachable."""
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        query = parse_qs(parts.query)
    except ValueError:
        raise Unreachable("the endpoint gave a connection URL that is none", cause="endpoint") from None
    if parts.scheme != "wss" and not (parts.scheme == "ws" and is_loopback(parts.hostname)):
        where = f"{parts.scheme}://{parts.hostname}" if parts.scheme else "none"
        raise Unreachable(f"the endpoint gave a connection URL that is not wss: {where[:200]}", cause="endpoint")
    service_id = query.get("service_id", [""])[0]
    if not query.get("device_id") or not re.fullmatch(r"[0-9]{1,10}", service_id) or int(service_id) > MAX_SERVICE_ID:
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


def raise_refused(refusal: InvalidHandshake) -> None:
    """What a refused handshake's headers say; the refusal itself where they say nothing."""
    headers = getattr(getattr(refusal, "response", None), "headers", None) or Headers()
    status, auth_code = _number(headers, "Handshake-Status"), _number(headers, "Handshake-Autherrcode")
    if status is None:
        raise refusal
    raise handshake_error(status, ", ".join(headers.get_all("Handshake-Msg")), auth_code) from None


def _number(headers: Headers, name: str) -> int | None:
    values = headers.get_all(name)
    return int(values[0]) if values and re.fullmatch(r"[0-9]{1,18}", values[0]) else None
