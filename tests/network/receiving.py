"""An HTTP end on loopback for tests: real aiohttp, in a thread of its own, answering as it is told."""

import asyncio
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Self, cast

import msgspec
from aiohttp import web

Answer = Callable[["Post"], Any]


@dataclass(frozen=True)
class Post:
    """A request as it came."""

    at: float
    headers: dict[str, str]
    body: bytes

    @property
    def events(self) -> list[dict[str, Any]]:
        if self.headers["Content-Type"] == "application/x-ndjson":
            return [msgspec.json.decode(line) for line in self.body.splitlines()]
        decoded = msgspec.json.decode(self.body)
        return decoded if isinstance(decoded, list) else [decoded]

    @property
    def ids(self) -> list[str]:
        return [one.get("event_id") or one.get("id", "") for one in self.events]


@dataclass
class Receiver:
    """`answer` gives (status, headers, text), or a status; `delay` seconds before it. `port` 0: any."""

    answer: Answer = lambda post: 200
    delay: float = 0.0
    port: int = 0
    posts: list[Post] = field(default_factory=list)
    got: list[str] = field(default_factory=list)  # ids that were answered with 2xx, in order of the answers
    at_once: int = 0
    most_at_once: int = 0

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}/hook"

    tls: ssl.SSLContext | None = None

    def __enter__(self) -> Self:
        self._up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._up.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{tail:.*}", self._take)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        new = cast("web.Server", runner.server)
        server = await self._loop.create_server(new, "127.0.0.1", self.port, reuse_address=True, ssl=self.tls)
        self.port = server.sockets[0].getsockname()[1]
        self._up.set()
        await self._stop.wait()
        for sock in server.sockets:
            self._loop.remove_reader(sock)
        await asyncio.sleep(0)  # what was just accepted needs its server: else asyncio leaves that socket open
        server.close()
        await runner.cleanup()
        await asyncio.sleep(0.01)  # connections are closed in the loop's next turns

    async def _take(self, request: web.Request) -> web.Response:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            post = Post(monotonic(), dict(request.headers), await request.read())
            self.posts.append(post)
            if self.delay:
                await asyncio.sleep(self.delay)
            said = self.answer(post)
            status, headers, text = said if isinstance(said, tuple) else (said, {}, "")
            if 200 <= status < 300:
                self.got += post.ids
            return web.Response(status=status, headers=headers, text=text)
        finally:
            self.at_once -= 1
