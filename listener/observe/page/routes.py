"""Maps the page's addresses: its files, the JSON behind it, the stream, the buttons. access.py checks each request."""

from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus
from importlib.resources import files

import msgspec

from listener.base.errors import JournalError
from listener.observe.facts import Facts
from listener.observe.hosts import is_local
from listener.observe.http_server import Page, Request, Route, plain
from listener.observe.page.access import Access
from listener.observe.page.actions import ActionRefused, Actions
from listener.observe.page.kept_images import ImageTransfers
from listener.observe.page.queries import LIMIT, Queries
from listener.observe.page.stream import Stream

JSON = "application/json"
KINDS = {"html": "text/html; charset=utf-8", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
POLICY = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
IMAGE_POLICY = "default-src 'none'; sandbox"  # whatever a guest has sent: opened by itself it can do nothing
SAFE = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
UNBUFFERED = {"X-Accel-Buffering": "no"}  # for nginx, which would hold a stream back


class Login(msgspec.Struct):
    """What the page sends to log in."""

    token: str


class Pages:
    """The page and its API: `routes` are for the HTTP server, `close` ends the streams."""

    def __init__(self, facts: Facts, address: str) -> None:
        self._access = Access(facts.settings.http.token, address.rpartition(":")[2])
        self._queries, self._actions, self._stream = Queries(facts), Actions(facts), Stream(facts)
        self._sending = ImageTransfers()

    def close(self) -> None:
        """Ends the streams of all open pages."""
        self._stream.close()

    def routes(self) -> dict[tuple[str, str], Route]:
        """Returns the functions that answer, by (method, path)."""
        asked = {"messages": self._messages, "event": self._event, "letters": self._letters, "pace": self._pace}
        asked |= {"numbers": self._numbers, "stream": self._follow, "me": self._me, "image": self._image}
        done = {"retry": self._actions.retry, "discard": self._actions.discard, "replay": self._actions.replay}
        done |= {"hurry": self._actions.hurry, "discard_waiting": self._actions.discard_waiting}
        return (
            {("GET", path): partial(self._file, file) for path, file in _static().items()}
            | {("GET", f"/api/{name}"): partial(self._read, route) for name, route in asked.items()}
            | {("POST", f"/api/{name}"): partial(self._act, action) for name, action in done.items()}
            | {("POST", "/api/login"): self._log_in, ("POST", "/api/logout"): self._log_out}
        )

    async def _file(self, file: Page, request: Request) -> Page:
        """Answers with a file of the page, on any machine: files hold no event, and the page asks for the token."""
        if not (self._access.has_token or is_local(request.host, request.peer, request.headers)):
            return plain(HTTPStatus.FORBIDDEN, "beyond this machine the page needs http.token_file")
        return file

    async def _read(self, route: Route, request: Request) -> Page:
        refusal = await self._access.refusal(request)
        try:
            return refusal or await route(request)
        except JournalError as e:
            return plain(HTTPStatus.SERVICE_UNAVAILABLE, str(e))
        except ValueError:  # a number that is none
            return plain(HTTPStatus.BAD_REQUEST)

    async def _act(self, action: Callable[[bytes], Awaitable[int]], request: Request) -> Page:
        if refusal := await self._access.refusal_to_act(request):
            return refusal
        if not _is_json(request):
            return plain(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        try:
            return _json(msgspec.json.encode({"done": await action(request.body)}))
        except ActionRefused as e:
            return plain(HTTPStatus.CONFLICT, str(e))
        except JournalError as e:
            return plain(HTTPStatus.SERVICE_UNAVAILABLE, str(e))
        except ValueError:
            return plain(HTTPStatus.BAD_REQUEST)

    async def _log_in(self, request: Request) -> Page:
        try:
            given = msgspec.json.decode(request.body, type=Login).token
        except ValueError:
            return plain(HTTPStatus.BAD_REQUEST)
        return await self._access.log_in(request, given) if _is_json(request) else plain(HTTPStatus.BAD_REQUEST)

    async def _log_out(self, request: Request) -> Page:
        return await self._access.refusal_to_act(request) or self._access.log_out(request)

    async def _me(self, request: Request) -> Page:
        known = {"may_act": await self._access.may_act(request), "has_token": self._access.has_token}
        return _json(msgspec.json.encode(known | {"has_images": self._queries.has_images}))

    async def _messages(self, request: Request) -> Page:
        query = request.query
        before, limit = int(query.get("before") or 1 << 62), int(query.get("limit") or LIMIT)
        words = query.get("words", "")[:200]
        return _json(await self._queries.messages(_seq(before), limit, query.get("ticket", "")[:100], words))

    async def _event(self, request: Request) -> Page:
        found = await self._queries.event(_seq(int(request.query.get("seq", ""))))
        return plain(HTTPStatus.NOT_FOUND, "that event is not kept any more") if found is None else _json(found)

    async def _image(self, request: Request) -> Page:
        if self._sending.is_full:
            return plain(HTTPStatus.SERVICE_UNAVAILABLE, "so many images are being sent already")
        found = await self._queries.image(_seq(int(request.query.get("seq", ""))), int(request.query.get("index", "")))
        if found is None:
            return plain(HTTPStatus.NOT_FOUND, "that image is not kept")
        file, kind = found
        headers = SAFE | {"Content-Security-Policy": IMAGE_POLICY}
        return Page(self._sending.pieces(file), content_type=kind, headers=headers)

    async def _letters(self, _: Request) -> Page:
        return _json(await self._queries.letters())

    async def _pace(self, request: Request) -> Page:
        return _json(await self._queries.pace(int(request.query.get("offset") or 0)))

    async def _numbers(self, _: Request) -> Page:
        return _json(await self._queries.numbers())

    async def _follow(self, request: Request) -> Page:
        if self._stream.is_full:
            return plain(HTTPStatus.SERVICE_UNAVAILABLE, "so many pages are open already")
        seen = request.headers.get("Last-Event-ID") or request.query.get("after") or ""
        after = _seq(int(seen)) if seen.isascii() and seen.isdigit() else None
        return Page(self._stream.follow(after), content_type="text/event-stream", headers=SAFE | UNBUFFERED)


def _static() -> dict[str, Page]:
    """Returns the page's files by path, 70 kB, read once: a disk that hangs must not hold up the loop."""
    pages = {}
    for file in files(__package__).joinpath("static").iterdir():
        if (kind := KINDS.get(file.name.rpartition(".")[2])) is not None:
            headers = SAFE | {"Cache-Control": "no-cache"}
            pages[f"/{file.name}"] = Page(file.read_bytes(), content_type=kind, headers=headers)
    return pages | {"/": pages["/index.html"]}


def _seq(number: int) -> int:
    """Returns the nearest number that can be a seq in SQLite."""
    return max(0, min(1 << 62, number))


def _json(body: bytes) -> Page:
    return Page(body, content_type=JSON, headers=SAFE)


def _is_json(request: Request) -> bool:
    return request.headers.get("Content-Type", "").partition(";")[0].strip().lower() == JSON
