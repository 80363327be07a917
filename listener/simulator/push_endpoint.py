"""Serves the stand-in's own HTTP path, by which `simulator push` hands it a payload; for peers on this machine only."""

import asyncio
import ipaddress
from collections.abc import Callable
from contextlib import suppress

from listener.simulator.connection import Connection
from listener.simulator.delivery import Delivery
from listener.simulator.faults import Reply, http, reply
from listener.simulator.http1 import HttpRequest

PUSH_PATH = "/simulator/push"
WAIT = 5.0  # seconds for an ack


class PushEndpoint:
    """Pushes the body of a POST as an event, and answers with what became of it: state, and the acks' codes."""

    def __init__(self, push: Callable[[bytes], Delivery]) -> None:
        self._push = push
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, connection: Connection, request: HttpRequest) -> None:
        """Answers now where the request is refused, else once the event is acked or `WAIT` is over."""
        if (refusal := _refusal(connection, request)) is not None:
            connection.answer(refusal)
            return
        task = asyncio.get_running_loop().create_task(self._answer(connection, self._push(request.body)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """Stops answering everybody."""
        for task in self._tasks:
            task.cancel()

    async def _answer(self, connection: Connection, delivery: Delivery) -> None:
        with suppress(TimeoutError):  # the state tells
            await delivery.watch.until(lambda: delivery.acks or delivery.state == "waiting", "an ack", WAIT)
        connection.answer(reply({"state": delivery.state, "codes": delivery.codes, "message_id": delivery.message_id}))


def _refusal(connection: Connection, request: HttpRequest) -> Reply | None:
    peer = connection.transport.get_extra_info("peername")
    if not peer or not ipaddress.ip_address(peer[0]).is_loopback:
        return http(403, b"only from this machine\n")
    if request.method != "POST":
        return http(405, b"POST the payload\n")
    if request.headers.get("content-type") != "application/json":  # a web page can't send it here unasked
        return http(415, b"Content-Type: application/json\n")
    return None
