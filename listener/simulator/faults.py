"""Makes things go wrong at the stand-in: scripted answers and lasting faults, changeable at any moment.

`Reply` objects are consumed one by one, each instead of one normal service:

    platform.faults.endpoint += [http(500), HTML_PAGE, RESET, code(1, "busy")]   # then it serves again
    platform.faults.handshake += [refused(403, "forbidden")]
    platform.faults.api["/open-apis/helpdesk/v1/events/subscribe"] = [throttled(2)]
    platform.faults.connected = "silent"
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

ENDPOINT_PATH = "/callback/ws/endpoint"
SOCKET_PATH = "/ws/v2"

EXCEED_CONN_LIMIT = 1000040350  # the only Handshake-Autherrcode with a meaning of its own

Mood = Literal["serve", "no_pong", "deaf", "silent"]


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply to an HTTP request.

    `raw` replaces status, headers and body by these very bytes. `end` is what follows the last byte: "fin", "reset", or
    "hang" (nothing, the connection stays open). `drip` sends one byte every so many seconds.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    end: Literal["fin", "reset", "hang"] = "fin"
    drip: float = 0.0


def reply(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """Returns an HTTP answer with `data` as JSON."""
    return Reply(status, json.dumps(data, ensure_ascii=False).encode(), headers or {})


def code(number: int, msg: str = "", status: int = 200) -> Reply:
    """Returns the platform's own error: HTTP 200 (or another status) with a code in the body."""
    return reply({"code": number, "msg": msg}, status)


def http(status: int, body: bytes = b"") -> Reply:
    """Returns an answer with nothing but an HTTP status."""
    return Reply(status, body)


def redirect(url: str, status: int = 307) -> Reply:
    """Returns a redirection; 307 asks for the same method and body again."""
    return Reply(status, headers={"Location": url})


def raw(data: bytes) -> Reply:
    """Returns an answer of these bytes, whatever they are, then FIN."""
    return Reply(raw=data)


def refused(status: int, msg: str, autherrcode: int | None = None) -> Reply:
    """Returns a refused handshake, in the three headers that the platform uses for it."""
    headers = {"Handshake-Status": str(status), "Handshake-Msg": msg}
    if autherrcode is not None:
        headers["Handshake-Autherrcode"] = str(autherrcode)
    return Reply(status, headers=headers)


def throttled(reset: int = 1) -> Reply:
    """Returns the answer to too many requests; `reset` is the seconds to wait."""
    body = {"code": 99991400, "msg": "request trigger frequency limit"}
    return reply(body, 429, {"x-ogw-ratelimit-reset": str(reset)})


HANG = Reply(raw=b"", end="hang")
RESET = Reply(raw=b"", end="reset")
EMPTY = Reply()
HTML_PAGE = Reply(body=b"<html><body>Sign in to the network</body></html>", headers={"Content-Type": "text/html"})
HUGE = Reply(body=b"x" * 10_000_000)
NO_URL = reply({"code": 0, "msg": "ok", "data": {}})
BUSY = code(1, "system busy")
INTERNAL_ERROR = code(1000040343, "internal error")
NO_CREDENTIAL = code(1000040344, "no credential")
REFUSED_CREDENTIAL = code(1000040345, "app_id or app_secret is invalid")
CONNECTION_LIMIT = refused(514, "the number of connections exceeded the limit", EXCEED_CONN_LIMIT)


@dataclass(slots=True)
class Faults:
    """The stand-in's settings for misbehaviour; all off at first.

    connected: what an open connection does, read anew at each message:
        "serve" behaves; "no_pong" ignores application pings but keeps the websocket's keepalive;
        "deaf" pushes events and hears nothing (acks, pings, close frames go unnoticed);
        "silent" is half-open: nothing is read or sent any more, no FIN; a silenced connection stays so.
    zombies: so many of the next connections answer pings, and no event is sent through them.
    clock_skew: seconds added to the Date of HTTP answers.
    """

    endpoint: list[Reply] = field(default_factory=list)
    handshake: list[Reply] = field(default_factory=list)
    api: dict[str, list[Reply]] = field(default_factory=dict)
    connected: Mood = "serve"
    zombies: int = 0
    clock_skew: float = 0.0

    def take_zombie(self) -> bool:
        """Returns whether the connection that opens now is one of the zombies."""
        self.zombies, is_one = max(0, self.zombies - 1), self.zombies > 0
        return is_one

    def scripted(self, path: str) -> Reply | None:
        """Takes the next scripted answer for that path, if there is one."""
        own = {ENDPOINT_PATH: self.endpoint, SOCKET_PATH: self.handshake}
        queue = own.get(path) or self.api.get(path)
        return queue.pop(0) if queue else None
