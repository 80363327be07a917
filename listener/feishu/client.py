"""Defines what a session needs of the platform's client, and reads what endpoint and handshake say. Pure."""

import math
import re
from dataclasses import dataclass
from typing import Any, Protocol, TypeGuard
from urllib.parse import parse_qs, urlsplit

from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake

from listener.base.errors import SessionError, Unreachable
from listener.feishu.codes import endpoint_error, handshake_error
from listener.feishu.transport import is_loopback
from listener.feishu.websocket import FrameConnection

MAX_SERVICE_ID = 2**31 - 1  # the ping frame's field is an int32


@dataclass
class Timings:
    """The timings that the server may set, in seconds."""

    ping_interval: float = 120.0
    reconnect_nonce: float = 5.0

    def obey(self, ping_interval: object, reconnect_nonce: object) -> None:
        """Takes over what makes sense, since ClientConfig comes partial, zero, negative and absurd."""
        if _is_number(ping_interval) and ping_interval > 0:
            self.ping_interval = float(min(max(ping_interval, 1), 300))
        if _is_number(reconnect_nonce):
            self.reconnect_nonce = float(min(max(reconnect_nonce, 0), 5))


def _is_number(value: object) -> TypeGuard[float]:
    return type(value) is int or (type(value) is float and not math.isnan(value))


class LongConnection(Protocol):
    """What a session needs of the platform's client; sdk.py makes one of the official SDK's."""

    timings: Timings

    @property
    def connection(self) -> FrameConnection | None:
        """Returns the websocket, once `connect` has returned."""

    @property
    def connection_id(self) -> str:
        """Returns the platform's name for this connection."""

    def fetch_url(self) -> None:
        """Calls the endpoint; blocks. Raises SessionError, or ConfigError where the secret would go out unprotected."""

    @property
    def host(self) -> str:
        """Returns the host of the fetched URL, whose query holds secrets and is shown nowhere."""

    async def connect(self) -> None:
        """Does the handshake at the URL that was fetched."""

    def ping(self) -> bytes:
        """Returns the application's ping, encoded."""

    def control(self, frame: Any) -> None:
        """Takes over what a control frame says, such as new timings."""


def checked_url(url: object, *, plain: bool) -> str:
    """Returns the connection URL if it is wss and has the ids that the SDK reads. Raises Unreachable.

    `plain`: the domain itself is http on this machine; only then may it be ws, to this machine too.
    """
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        query = parse_qs(parts.query)
    except ValueError:
        raise Unreachable("the endpoint gave a connection URL that is none", cause="endpoint") from None
    if parts.scheme != "wss" and not (plain and parts.scheme == "ws" and is_loopback(parts.hostname)):
        where = f"{parts.scheme}://{parts.hostname}" if parts.scheme else "none"
        raise Unreachable(f"the endpoint gave a connection URL that is not wss: {where[:200]}", cause="endpoint")
    if parts.username is not None or parts.password is not None:
        raise Unreachable("the endpoint gave a connection URL with a user name in it", cause="endpoint")
    service_id = query.get("service_id", [""])[0]
    if not query.get("device_id") or not re.fullmatch(r"[0-9]{1,10}", service_id) or int(service_id) > MAX_SERVICE_ID:
        raise Unreachable("the endpoint gave a connection URL without device_id or service_id", cause="endpoint")
    return str(url)


def endpoint_failed(error: Exception) -> SessionError:
    """Translates the SDK's exception about an endpoint's answer; by class name, since each private copy has its own."""
    code = getattr(error, "code", None)
    match type(error).__name__:
        case "ServerException" if isinstance(code, int):
            return Unreachable(f"the endpoint answered {str(error)[:200]}", cause="endpoint")
        case "ClientException" if isinstance(code, int):
            return endpoint_error(code, str(error).removeprefix(f"{code}: "))
        case kind:
            return Unreachable(f"the endpoint's answer is not the documented one ({kind})", cause="endpoint")


def raise_refused(refusal: InvalidHandshake) -> None:
    """Raises the error that a refused handshake's headers stand for, or the refusal itself where they say nothing."""
    headers = getattr(getattr(refusal, "response", None), "headers", None) or Headers()
    status, auth_code = _number(headers, "Handshake-Status"), _number(headers, "Handshake-Autherrcode")
    if status is None:
        raise refusal
    raise handshake_error(status, ", ".join(headers.get_all("Handshake-Msg")), auth_code) from None


def _number(headers: Headers, name: str) -> int | None:
    values = headers.get_all(name)
    return int(values[0]) if values and re.fullmatch(r"[0-9]{1,18}", values[0]) else None
