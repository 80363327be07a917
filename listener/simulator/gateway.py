"""Lets clients in: the endpoint call that hands out a socket URL, and the handshake that takes it."""

import secrets
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from listener.simulator.delivery import SERVICE_ID
from listener.simulator.faults import (
    CONNECTION_LIMIT,
    NO_CREDENTIAL,
    REFUSED_CREDENTIAL,
    SOCKET_PATH,
    Reply,
    http,
    refused,
    reply,
)
from listener.simulator.http1 import HttpRequest

MAX_CONNECTIONS = 50  # of one app
TICKETS = 10_000  # issued and not yet used

# The official SDK for Node refuses, without a word, an app id that is not "cli_" and 16 hexadecimal digits.
DEMO_CREDENTIALS = {"cli_a5ca1ab1e0ddba11": "demo-secret"}
CLIENT_CONFIG = {
    "ReconnectCount": -1,
    "ReconnectInterval": 120,
    "ReconnectNonce": 30,
    "PingInterval": 120,
}  # s


@dataclass(slots=True)
class Gateway:
    """Whom it lets in, and what it tells them; every field may be changed at any time.

    client_config: what the endpoint and the pongs carry; any JSON; None leaves it out.
    url: replaces the socket URL. By default it leads to where the endpoint call was addressed (its Host
        header), so that a link between client and stand-in carries both legs.
    secrets: the issued access keys and tickets, which must turn up in no log.
    """

    credentials: dict[str, str] = field(default_factory=lambda: dict(DEMO_CREDENTIALS), repr=False)
    client_config: Any = field(default_factory=lambda: dict(CLIENT_CONFIG))
    url: str | None = None
    max_connections: int = MAX_CONNECTIONS
    secrets: deque[str] = field(default_factory=lambda: deque(maxlen=2 * TICKETS), repr=False)
    _tickets: dict[str, str] = field(default_factory=dict, repr=False)  # ticket: app id

    def endpoint(self, request: HttpRequest, *, tls: bool) -> Reply:
        """Returns the answer to `POST /callback/ws/endpoint`."""
        body = request.json()
        if request.method != "POST" or not isinstance(body, dict):
            return http(400)
        app_id, secret = body.get("AppID"), body.get("AppSecret")
        if not app_id or not secret:
            return NO_CREDENTIAL
        if self.credentials.get(app_id) != secret:
            return REFUSED_CREDENTIAL
        data = {"URL": self.url or self._socket_url(app_id, request, tls=tls)}
        if self.client_config is not None:
            data["ClientConfig"] = self.client_config
        return reply({"code": 0, "msg": "ok", "data": data})

    def handshake(self, request: HttpRequest, connections: dict[str, int]) -> tuple[str, Reply | None]:
        """Returns (app id, None) to let it in, else ("", a refusal); `connections` counts the open ones by app."""
        if request.headers.get("upgrade", "").lower() != "websocket" or "sec-websocket-key" not in request.headers:
            return "", http(426)
        app_id = self._tickets.pop(request.query.get("ticket", ""), "")
        if not app_id:
            return "", refused(514, "the ticket is invalid or was used", 1000040346)
        if connections.get(app_id, 0) >= self.max_connections:
            return "", CONNECTION_LIMIT
        return app_id, None

    def _socket_url(self, app_id: str, request: HttpRequest, *, tls: bool) -> str:
        ticket, access_key = secrets.token_hex(16), secrets.token_hex(16)
        self.secrets += (ticket, access_key)
        self._tickets[ticket] = app_id
        if len(self._tickets) > TICKETS:
            del self._tickets[next(iter(self._tickets))]
        query = f"device_id={secrets.randbits(62)}&aid=552564&service_id={SERVICE_ID}"
        origin = f"{'wss' if tls else 'ws'}://{request.headers.get('host', 'localhost')}"
        return f"{origin}{SOCKET_PATH}?fpid=493&{query}&access_key={access_key}&ticket={ticket}"
