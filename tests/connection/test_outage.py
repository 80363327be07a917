"""A name that does not resolve and a port that refuses, for long, then a healthy platform: connected soon after."""

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from listener.simulator import Link
from listener.sources.long_connection import Backoff
from tests.connection.listening import event, listening, platform

SWALLOWS = "127.0.0.2"
LONG, BACK = 30.0, 10.0  # s
QUICK = Backoff(soon_max=0.5)


@contextmanager
def swallowing(port: int) -> Iterator[None]:
    """Nobody answers at that port of SWALLOWS: its queue is full, so Linux drops what else knocks."""
    with ExitStack() as open_sockets:
        server = open_sockets.enter_context(socket.socket())
        server.bind((SWALLOWS, port))
        server.listen(0)
        for _ in range(4):
            client = open_sockets.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex((SWALLOWS, port))
        yield


async def refused(outage: float, backoff: Backoff) -> float:
    """Seconds from the port's healing to the connection."""
    async with platform() as stand_in, Link(stand_in.host, stand_in.port) as link:
        link.refuse()
        async with listening(link.url, backoff=backoff) as listener:
            await asyncio.sleep(outage)  # what is tested is the time that passes
            assert 1 < listener.supervisor.state.attempts
            await link.start()
            healed = time.monotonic()
            await listener.connected(within=BACK)
            await stand_in.push(event(1)).acked()
            return time.monotonic() - healed


async def unresolved(outage: float, backoff: Backoff, monkeypatch: pytest.MonkeyPatch) -> float:
    """Seconds from the name server's healing to the connection."""
    lookup, asked = socket.getaddrinfo, []

    def broken(host: Any, *rest: Any, **more: Any) -> Any:
        asked.append(host)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    async with platform() as stand_in:
        monkeypatch.setattr(socket, "getaddrinfo", broken)
        async with listening(f"http://localhost:{stand_in.port}", backoff=backoff) as listener:
            await asyncio.sleep(outage)  # what is tested is the time that passes
            assert {"localhost"} == set(asked)
            assert "name resolution" in str(listener.supervisor.state.lost_because)
            monkeypatch.setattr(socket, "getaddrinfo", lookup)
            healed = time.monotonic()
            await listener.connected(within=BACK)
            return time.monotonic() - healed


def test_a_port_that_refuses_is_tried_until_it_does_not() -> None:
    assert asyncio.run(refused(1.0, QUICK)) < 2


def test_a_name_that_does_not_resolve_is_tried_until_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asyncio.run(unresolved(1.0, QUICK, monkeypatch)) < 2


@pytest.mark.slow
def test_connected_within_10_s_after_30_s_of_refusals() -> None:
    assert asyncio.run(refused(LONG, Backoff())) < BACK


@pytest.mark.slow
@pytest.mark.long
def test_connected_within_10_s_after_30_s_without_names(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asyncio.run(unresolved(LONG, Backoff(), monkeypatch)) < BACK


def test_a_host_whose_first_address_swallows_everything_is_reached_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with a broken IPv6: both legs try the other address in time."""
    lookup = socket.getaddrinfo

    def two(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        found = lookup("127.0.0.1", port, *rest, **more)
        return [(*entry[:4], (SWALLOWS, entry[4][1])) for entry in found] + found if host == "localhost" else found

    async def main() -> None:
        async with platform() as stand_in:
            monkeypatch.setattr(socket, "getaddrinfo", two)
            with swallowing(stand_in.port):
                async with listening(f"http://localhost:{stand_in.port}") as listener:
                    await listener.connected(within=9)
                    assert {} == listener.supervisor.state.losses

    asyncio.run(main())
