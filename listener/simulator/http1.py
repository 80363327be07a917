"""Parses as much of HTTP/1.1 as a stand-in needs: one request per connection, then the answer (RFC 9112). Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

MAX_HEAD = 64 << 10  # bytes
MAX_BODY = 16 << 20  # bytes


class BadRequest(ValueError):
    """The request is not HTTP/1.1, or larger than any that the SDKs send."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request; header names in lower case, the last of equal ones wins."""

    method: str
    target: str  # as it stood in the request line: a path, an absolute URI, or host:port
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        """Returns the target without its query."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """Returns the query's parameters, the first value of each."""
        return {name: values[0] for name, values in parse_qs(urlsplit(self.target).query).items()}

    def json(self) -> Any:
        """Returns the body as JSON holds it, None where it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class RequestReader:
    """Collects the bytes of one request; what follows it stays in `rest`."""

    def __init__(self) -> None:
        self.rest = b""
        self._head: HttpRequest | None = None

    def feed(self, data: bytes) -> HttpRequest | None:
        """Returns the request once it is whole, else None.

        Raises:
            BadRequest: malformed, or over the limits.
        """
        self.rest += data
        if self._head is None:
            self._head, self.rest = parse_head(self.rest)
        if self._head is None or len(self.rest) < (length := _body_length(self._head)):
            return None
        body, self.rest = self.rest[:length], self.rest[length:]
        return HttpRequest(self._head.method, self._head.target, self._head.headers, body)


def parse_head(data: bytes) -> tuple[HttpRequest | None, bytes]:
    """Returns (request without body, bytes after the head); (None, data) while the head is incomplete."""
    head, separator, rest = data.partition(b"\r\n\r\n")
    if len(head) > MAX_HEAD:
        raise BadRequest("the head is too long")
    if not separator:
        return None, data
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise BadRequest("not an HTTP/1.1 request line")
    pairs = (line.partition(":") for line in lines)
    return HttpRequest(words[0], words[1], {name.lower(): value.strip() for name, _, value in pairs}), rest


def response(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None, *, now: float) -> bytes:
    """Returns a whole response that ends its connection; `now` (seconds since the epoch) becomes the Date."""
    fields = {
        "Date": formatdate(now, usegmt=True),
        "Content-Type": "application/json; charset=utf-8",
        "Content-Length": str(len(body)),
        "Connection": "close",
        **(headers or {}),
    }
    return head(status, fields) + body


def head(status: int, headers: Mapping[str, str]) -> bytes:
    """Returns the status line and the header fields."""
    lines = [f"HTTP/1.1 {status} {_phrase(status)}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Refused"  # 514 is the platform's own


def _body_length(request: HttpRequest) -> int:
    text = request.headers.get("content-length", "0")
    if "transfer-encoding" in request.headers or not text.isdecimal() or int(text) > MAX_BODY:
        raise BadRequest("the body needs a Content-Length within bounds")
    return int(text)
