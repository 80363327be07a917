"""Gives every aiohttp server of ours a cap on connections, and counts bad requests instead of tracing them."""

import asyncio
import logging
from collections.abc import Callable, Collection

from aiohttp import web
from aiohttp.http import HttpProcessingError

from listener.base.accepting import A_TURN, most_connections
from listener.base.logs import get_logger

log = get_logger(__name__)


def capped(server: "web.Server", answering: Collection[object]) -> Callable[[], asyncio.BaseProtocol]:
    """Returns a factory of connection handlers; over the cap, it aborts the oldest that are not in `answering`.

    aiohttp's own close() ends the task of a connection that waits for a request and leaves its socket open, so the
    transport is ended here. aiohttp goes on listing a connection that has ended until its task has: those don't count.
    """
    cap = most_connections()

    def new() -> asyncio.BaseProtocol:
        held = [(one, one.transport) for one in server.connections if one.transport and not one.transport.is_closing()]
        if len(held) >= cap:
            for transport in [transport for one, transport in held if one not in answering][:A_TURN]:
                transport.abort()
        return server()

    return new


class Complaints(logging.Handler):
    """Passes what aiohttp logs of requests that are no HTTP, stack traces and all, to `count` as (reason, 400)."""

    def __init__(self, count: Callable[[str, int], None]) -> None:
        super().__init__()
        self._count = count
        self.logger = logging.Logger("aiohttp.server")  # outside the logging tree: no other handler sees it
        self.logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            self._count(f"{record.getMessage()}: {error.message[:100]!r}", 400)
        else:
            log.error("a request failed in a way that it should not", exc_info=record.exc_info)
