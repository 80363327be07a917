"""What every HTTP server of ours needs of aiohttp: capped connections, and complaints that are counted, not traced."""

import asyncio
import logging
import resource
from collections.abc import Callable, Collection

from aiohttp import web
from aiohttp.http import HttpProcessingError

from listener.base.logs import get_logger

CONNECTIONS = 512  # of one server, at once
log = get_logger(__name__)


def most_connections() -> int:
    """Returns how many connections a server may hold: half of the process's descriptors are for everything else."""
    return max(16, min(CONNECTIONS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2))


def capped(server: "web.Server", answering: Collection[object]) -> Callable[[], asyncio.BaseProtocol]:
    """Makes each connection's handler; over the cap, the oldest that are not in `answering` make room.

    aiohttp's own close() ends the task of a connection that waits for a request and leaves its socket open, so the
    transport is ended here.
    """
    cap = most_connections()

    def new() -> asyncio.BaseProtocol:
        held = server.connections
        if len(held) >= cap:
            for oldest in [one for one in held if one not in answering][: max(1, cap // 8)]:
                if oldest.transport is not None:
                    oldest.transport.abort()
        return server()

    return new


class Complaints(logging.Handler):
    """Hands what aiohttp logs of requests that are no HTTP, each with a stack trace, to `count` as (reason, 400)."""

    def __init__(self, count: Callable[[str, int], None]) -> None:
        super().__init__()
        self._count = count
        self.logger = logging.Logger("aiohttp.server")  # this server's own, in no tree
        self.logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            self._count(f"{record.getMessage()}: {error.message[:100]!r}", 400)
        else:
            log.error("a request failed in a way that it should not", exc_info=record.exc_info)
