"""Receives events as a webhook: an HTTP server that takes what the platform posts, keeps it, and only then answers 200.

Receipt is the same as over the long connection: the Receiver journals, dedupes, and answers within 2.5 s with 200 or
500; the platform pushes again what got anything but 200. TLS is a reverse proxy's job.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NoReturn, cast

from aiohttp import web

from listener.base.accepting import serve
from listener.base.errors import EX_IOERR, ListenError
from listener.base.logs import RateLimit, get_logger
from listener.base.web import Complaints, capped
from listener.feishu.session import Handler
from listener.settings.config import Settings, SourceSettings
from listener.sources.long_connection import ConnectionState
from listener.sources.webhook_bodies import Bodies
from listener.sources.webhook_verifier import Challenge, RequestRejected, Verifier

DAY = 86_400.0  # seconds; ids are remembered for at least as long
log = get_logger(__name__)


@dataclass(frozen=True)
class ListeningSocket:
    """Stands where status expects a connection: a socket that listens gets no pings, and counts as never silent."""

    fresh: bool = True
    round_trip: float | None = None


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long a peer may take for each part, in seconds."""

    head: float = 20.0  # for the head of a request, and for the next one on a kept connection
    body: float = 10.0
    linger: float = 2.0  # to read why its request was cut short
    stop: float = 1.0  # for its answer, once this server stops


class CannotListen(ListenError):
    """The address is taken, or not this machine's."""

    exit_code = EX_IOERR


def new_webhook(settings: Settings, handler: Handler) -> "Webhook":
    """Makes the webhook of the settings. A replay from before the journal's memory is stale. Raises ConfigError."""
    return Webhook(settings.source, _verifier(settings), handler)


def _verifier(settings: Settings) -> Verifier:
    source = settings.source
    token = source.verification_token.read() if source.verification_token else None
    key = source.encrypt_key.read() if source.encrypt_key else None
    return Verifier(token, key, window=max(settings.journal.keep, DAY))


class Webhook:
    """The HTTP server that the platform posts events to. Use it in a running loop.

    `run()` serves until it is cancelled; then requests under way are still answered.
    """

    def __init__(
        self,
        config: SourceSettings,
        verifier: Verifier,
        handler: Handler,
        *,
        on_change: Callable[[ConnectionState], None] = lambda state: None,
        patience: Patience | None = None,
    ) -> None:
        self._patience = patience or Patience()
        self.state = ConnectionState()
        self.session: ListeningSocket | None = None
        self.address: tuple[str, int] = ("", 0)  # where it listens
        self.rejected: dict[int, int] = {}  # by status
        self.on_change = on_change
        self._config, self._verifier, self._handler = config, verifier, handler
        self._limit = RateLimit()
        self._bodies = Bodies(self._patience.body)
        self._answering: set[object] = set()  # connections whose request is whole: they are not closed to make room

    def reload(self, settings: Settings) -> None:
        """Takes over the secrets; requests from now on are checked against them. Raises ConfigError."""
        self._verifier = _verifier(settings)

    async def run(self) -> NoReturn:
        """Serves until it is cancelled. Raises CannotListen."""
        app = web.Application()
        app.router.add_post(self._config.path, self._receive)
        runner = web.AppRunner(
            app,
            handle_signals=False,
            access_log=None,
            logger=Complaints(self._count).logger,
            keepalive_timeout=self._patience.head,
            lingering_time=self._patience.linger,
            shutdown_timeout=self._patience.stop,
            auto_decompress=False,  # a peer can't make us inflate a bomb
        )
        await runner.setup()
        try:
            server = cast("web.Server", runner.server)  # it is there once set up
            async with await _listen(self._config.listen, capped(server, self._answering)) as listening:
                self.address = listening.sockets[0].getsockname()[:2]
                self._listening()
                never: asyncio.Future[NoReturn] = asyncio.get_running_loop().create_future()
                await never
        finally:
            self.session = None
            self._enter("stopped")
            await runner.cleanup()

    def _listening(self) -> None:
        log.info("listening: ready", address=self._config.listen, path=self._config.path)
        self.session = ListeningSocket()
        self.state.connections = 1
        self._enter("connected")

    def _enter(self, phase: str) -> None:
        self.state.enter(phase)
        self.on_change(self.state)

    async def _receive(self, request: web.Request) -> web.Response:
        try:
            async with self._bodies.whole(request.content) as body:
                self._answering.add(request.protocol)
                return await self._answer(request.headers, body)
        except RequestRejected as e:
            self._count(f"{e} ({request.remote})", e.status)
            return web.json_response({"msg": "rejected"}, status=e.status)  # why is not for strangers
        finally:
            self._answering.discard(request.protocol)

    async def _answer(self, headers: Mapping[str, str], body: bytes) -> web.Response:
        opened = self._verifier.open(headers, body, time.time())
        if isinstance(opened, Challenge):
            log.info("the platform checked this address")
            return web.json_response({"challenge": opened.text})
        code = await self._kept(opened)
        return web.json_response({"msg": "success" if code == 200 else "not kept, push again"}, status=code)

    async def _kept(self, payload: bytes) -> int:
        """Returns 200 once the payload is on disk, else 500; the Receiver makes sure that one of them comes in time."""
        answered = asyncio.get_running_loop().create_future()
        verdict = self._handler.receive(payload)
        verdict.reply = lambda code: None if answered.done() else answered.set_result(code)
        return int(await answered)

    def _count(self, because: str, status: int) -> None:
        self.rejected[status] = self.rejected.get(status, 0) + 1
        if (more := self._limit.take()) is not None:
            log.warning("request rejected", because=because, more_since_last=more or None)


async def _listen(address: str, new_protocol: Callable[[], asyncio.BaseProtocol]) -> asyncio.Server:
    try:
        return await serve(new_protocol, address)
    except OSError as e:
        raise CannotListen(
            f"source.listen: can't listen on {address}: {e.strerror or e}",
            hint="another process may have the port (ss -ltnp), and ports below 1024 need a privilege",
        ) from e
