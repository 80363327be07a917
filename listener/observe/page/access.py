"""Decides who may see the page, and who may press its buttons.

On this machine whoever asks may read. Beyond it nothing is shown without the token of `http.token_file`, and nobody
acts without it anywhere. Who gives the token gets a cookie that proves it without holding it, for a week; a new token
ends it. A browser sends a cookie of 127.0.0.1 to every port, and counts ports as the same site: so each action also has
to come from a page of this very address (Origin).
"""

import asyncio
import hashlib
import hmac
import time
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import urlsplit

from listener.base.errors import ConfigError
from listener.base.logs import RateLimit, get_logger
from listener.observe.hosts import is_local
from listener.observe.http_server import Page, Request, plain
from listener.settings.secrets import SecretSource

WEEK = 7 * 86_400  # seconds
REREAD = 5.0  # seconds for which the token that was read counts
WRONG = 0.5  # seconds that a wrong token takes; with TRIES at once, 8 guesses a second
TRIES = 4
log = get_logger(__name__)


class Access:
    """Checks requests by address, token and cookie. Lives in the loop, and reads the token's file in a thread.

    `clock` tells monotonic seconds.
    """

    def __init__(self, source: SecretSource | None, port: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._source, self._clock = source, clock
        self._cookie = f"helpdesk_listen_{port}"
        self._token: bytes | None = None
        self._read_at = float("-inf")
        self._trying = asyncio.Semaphore(TRIES)
        self._limit = RateLimit()

    @property
    def has_token(self) -> bool:
        """Returns whether the settings name a token at all."""
        return self._source is not None

    async def refusal(self, request: Request) -> Page | None:
        """Returns why this request may not read, None where it may."""
        if not _is_same_origin(request, needs_origin=False):
            return plain(HTTPStatus.FORBIDDEN, "this may be read by its own page only")
        if is_local(request.host, request.peer, request.headers) or await self.may_act(request):
            return None
        if not self.has_token:
            return plain(HTTPStatus.FORBIDDEN, "beyond this machine the page needs http.token_file")
        return plain(HTTPStatus.UNAUTHORIZED, "the token is missing")

    async def refusal_to_act(self, request: Request) -> Page | None:
        """Returns why this request may not change anything, None where it may."""
        if not _is_same_origin(request, needs_origin=True):
            return plain(HTTPStatus.FORBIDDEN, "actions are taken from the page itself only")
        if not self.has_token:
            return plain(HTTPStatus.FORBIDDEN, "the page's buttons need http.token_file")
        return None if await self.may_act(request) else plain(HTTPStatus.UNAUTHORIZED, "the token is missing")

    async def may_act(self, request: Request) -> bool:
        """Returns whether the request holds a cookie that was given for the token."""
        cookie = request.cookies.get(self._cookie, "")
        token = await self._current() if cookie else None
        until, _, _ = cookie.partition(".")
        if token is None or not (until.isascii() and until.isdigit()) or int(until[:12]) < time.time():
            return False
        return hmac.compare_digest(cookie.encode(errors="replace"), _signed(token, until))

    async def log_in(self, request: Request, given: str) -> Page:
        """Answers a right token with the cookie, a wrong one with a refusal."""
        if not _is_same_origin(request, needs_origin=True):
            return plain(HTTPStatus.FORBIDDEN, "log in on the page itself")
        async with self._trying:
            self._read_at = float("-inf")
            token = await self._current()
            if token is None or not hmac.compare_digest(given.strip().encode(errors="replace"), token):
                if (more := self._limit.take()) is not None:
                    log.warning("a wrong token was given for the page", peer=request.peer, more_since_last=more or None)
                await asyncio.sleep(WRONG)
                return plain(HTTPStatus.FORBIDDEN, "that is not the token")
        value = _signed(token, str(int(time.time()) + WEEK)).decode()
        return Page(b"{}", content_type="application/json", headers={"Set-Cookie": self._set(value, WEEK, request)})

    def log_out(self, request: Request) -> Page:
        """Answers with an order to delete the cookie."""
        return Page(b"{}", content_type="application/json", headers={"Set-Cookie": self._set("", 0, request)})

    def _set(self, value: str, seconds: int, request: Request) -> str:
        secure = "; Secure" if request.headers.get("X-Forwarded-Proto") == "https" else ""
        return f"{self._cookie}={value}; Max-Age={seconds}; Path=/; HttpOnly; SameSite=Strict{secure}"

    async def _current(self) -> bytes | None:
        """Returns the token, read again now and then, since its file may change while the daemon runs."""
        if self._source is not None and self._clock() - self._read_at > REREAD:
            self._read_at = self._clock()
            try:
                self._token = (await asyncio.to_thread(self._source.read)).encode()
            except ConfigError as e:
                self._token = None
                log.warning("the page's token can't be read: nobody can act", because=str(e), hint=e.hint)
        return self._token


def _signed(token: bytes, until: str) -> bytes:
    """Returns a cookie's value: until when it is valid, and the proof that the token was known."""
    proof = hmac.new(token, f"helpdesk-listen page {until}".encode(), hashlib.sha256).hexdigest()
    return f"{until}.{proof}".encode()


def _is_same_origin(request: Request, *, needs_origin: bool) -> bool:
    """Returns whether a page of this very address asks. Browsers say so; other clients say nothing, and may read.

    A reverse proxy says in X-Forwarded-Host under which name it was asked. A page of another origin can't add that
    header: its browser would first ask whether it may, and we never say yes.
    """
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = request.headers.get("Origin")
    if origin is None:
        return not needs_origin
    try:
        parts = urlsplit(origin)
    except ValueError:  # such as "http://[", which no browser sends
        return False
    own = {request.host.lower(), request.headers.get("X-Forwarded-Host", "").lower()} - {""}
    return parts.scheme in ("http", "https") and parts.netloc.lower() in own
