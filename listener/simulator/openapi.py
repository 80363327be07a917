"""Serves the open platform's HTTP APIs, as far as this project calls them, with the documented checks and errors."""

import base64
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from listener.simulator.chats import MESSAGES_PATH, SEND_SCOPE, Chats
from listener.simulator.desk import Desk
from listener.simulator.faults import Reply, code, reply, throttled
from listener.simulator.http1 import HttpRequest

TOKEN_PATH = "/open-apis/auth/v3/tenant_access_token/internal"  # noqa: S105 -- a path
ONLINE_PATH = "/open-apis/event/v1/connection"
SUBSCRIBE_PATH = "/open-apis/helpdesk/v1/events/subscribe"
UNSUBSCRIBE_PATH = "/open-apis/helpdesk/v1/events/unsubscribe"
TICKETS_PATH = "/open-apis/helpdesk/v1/tickets"

SCOPE = "helpdesk:all:readonly"
DEMO_HELPDESK = {"6626871355780366331": "ht-demo-token"}

BAD_REQUEST = code(154000, "Bad request, please check your request body", 400)
UNAUTHORIZED = code(154001, "Unauthorized, please check you have the correct access", 401)
NO_ACCESS = code(154003, "Please check you have the correct access", 403)
INVALID_TOKEN = code(99991663, "Invalid access token for authorization. Please make a test attempt", 400)
QUOTA_USED_UP = code(99991403, "This month's API call quota has been exceeded", 429)
INVALID_APP_SECRET = code(10014, "app secret invalid")
NOT_FOUND = Reply(404, b"404 page not found", {"Content-Type": "text/plain"})

Handler = Callable[["Tenant", HttpRequest], Reply]

_routes: dict[tuple[str, str], Handler] = {}


def route(method: str, path: str) -> Callable[[Handler], Handler]:
    """Registers a handler for one method and path; a part that begins with a colon stands for any one."""

    def register(handler: Handler) -> Handler:
        _routes[method, path] = handler
        return handler

    return register


def field_violation(name: str, description: str) -> Reply:
    """Returns the gateway's own validation error."""
    violation = {"field": name, "description": description}
    return reply({"code": 99992402, "msg": "field validation failed", "error": {"field_violations": [violation]}}, 400)


@dataclass(slots=True)
class Tenant:
    """The tenant behind the APIs; every field may be changed at any time.

    helpdesks: helpdesk id to helpdesk token. scopes: what the app was granted.
    subscriptions: helpdesk id to its (type, subtype) pairs. online: how many clients are connected.
    limits: calls a second that an API bears. quota: calls that are left this month; None: no end.
    message_time_unit: milliseconds in a unit of a message query's times. repeats_pages: every page is the first.
    """

    credentials: dict[str, str]
    online: Callable[[], int]
    helpdesks: dict[str, str] = field(default_factory=lambda: dict(DEMO_HELPDESK))
    scopes: set[str] = field(default_factory=lambda: {SCOPE, SEND_SCOPE})
    subscriptions: dict[str, set[tuple[str, str]]] = field(default_factory=dict)
    chats: Chats = field(default_factory=Chats)
    tokens: deque[str] = field(default_factory=lambda: deque(maxlen=1000))
    desk: Desk = field(default_factory=Desk)
    limits: dict[str, int] = field(default_factory=lambda: {"tickets": 50, "ticket": 10})
    quota: int | None = None
    message_time_unit: int = 1000
    messages_key: str = "messages"
    max_rows: int = 10_000
    repeats_pages: bool = False
    _called: dict[str, deque[float]] = field(default_factory=dict)

    def handle(self, request: HttpRequest) -> Reply:
        """Returns the answer of whichever API the request asks for."""
        handler = _routes.get((request.method, request.path)) or _with_id(request)
        return handler(self, request) if handler else NOT_FOUND

    def authorized(self, request: HttpRequest) -> bool:
        """Returns whether the request bears a tenant token that was issued here."""
        return request.headers.get("authorization", "").removeprefix("Bearer ") in self.tokens

    def helpdesk(self, request: HttpRequest) -> str | None:
        """Returns the helpdesk whose id and token `X-Lark-Helpdesk-Authorization` carries, None if they are wrong."""
        try:
            header = base64.b64decode(request.headers.get("x-lark-helpdesk-authorization", ""), validate=True)
            helpdesk_id, _, token = header.decode().partition(":")
        except ValueError:
            return None
        return helpdesk_id if token and self.helpdesks.get(helpdesk_id) == token else None

    def refusal(self, request: HttpRequest, name: str = "") -> Reply | None:
        """Returns why the helpdesk API of this name refuses the request, None if it does not."""
        if not self.authorized(request):
            return INVALID_TOKEN
        if self.quota == 0:
            return QUOTA_USED_UP
        self.quota = None if self.quota is None else self.quota - 1
        if self._too_often(name):
            return throttled(1)
        if SCOPE not in self.scopes:
            return NO_ACCESS
        return UNAUTHORIZED if self.helpdesk(request) is None else None

    def _too_often(self, name: str) -> bool:
        now, calls = monotonic(), self._called.setdefault(name, deque(maxlen=1000))
        while calls and now - calls[0] > 1:
            calls.popleft()
        calls.append(now)
        return len(calls) > self.limits.get(name, 1000)


def _with_id(request: HttpRequest) -> Handler | None:
    """Returns the handler of a path such as `/tickets/:id/messages`."""
    parts = request.path.split("/")
    if len(parts) > 5:
        parts[5] = ":id"
    return _routes.get((request.method, "/".join(parts)))


@route("POST", TOKEN_PATH)
def _tenant_token(api: Tenant, request: HttpRequest) -> Reply:
    body = request.json()
    if not isinstance(body, dict) or not body.get("app_id") or not body.get("app_secret"):
        return code(10003, "invalid param")
    if api.credentials.get(body["app_id"]) != body["app_secret"]:
        return INVALID_APP_SECRET
    token = f"t-{secrets.token_hex(16)}"
    api.tokens.append(token)
    return reply({"code": 0, "msg": "ok", "tenant_access_token": token, "expire": 7200})


@route("GET", ONLINE_PATH)
def _online(api: Tenant, request: HttpRequest) -> Reply:
    if not api.authorized(request):
        return INVALID_TOKEN
    return reply({"code": 0, "msg": "success", "data": {"online_instance_cnt": api.online()}})


@route("POST", SUBSCRIBE_PATH)
def _subscribe(api: Tenant, request: HttpRequest) -> Reply:
    return _change_subscriptions(api, request, set.update)


@route("POST", UNSUBSCRIBE_PATH)
def _unsubscribe(api: Tenant, request: HttpRequest) -> Reply:
    return _change_subscriptions(api, request, set.difference_update)


@route("POST", MESSAGES_PATH)
def _message(api: Tenant, request: HttpRequest) -> Reply:
    if not api.authorized(request):
        return INVALID_TOKEN
    if SEND_SCOPE not in api.scopes:
        return code(99991672, f"Access denied. One of the following scopes is required: [{SEND_SCOPE}]", 400)
    return api.chats.take(request)


def _change_subscriptions(api: Tenant, request: HttpRequest, change: Callable[[set[Any], set[Any]], None]) -> Reply:
    if refusal := api.refusal(request):
        return refusal
    if isinstance(events := _events(request.json()), Reply):
        return events
    change(api.subscriptions.setdefault(api.helpdesk(request) or "", set()), events)
    return reply({"code": 0, "msg": "success", "data": {}})


def _events(body: Any) -> set[tuple[Any, Any]] | Reply:
    """Returns the (type, subtype) pairs of a request body, or what is wrong with it."""
    if not isinstance(body, dict):
        return BAD_REQUEST
    if not isinstance(events := body.get("events"), list) or not events:
        return field_violation("events", "events is required")
    pairs = {(event.get("type"), event.get("subtype")) for event in events if isinstance(event, dict)}
    if not all(isinstance(name, str) and name for pair in pairs for name in pair) or not pairs:
        return BAD_REQUEST
    return pairs
