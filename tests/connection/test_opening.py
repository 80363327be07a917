"""Peers that accept and never answer, at each step of the way to a connection: the next attempt comes within 15 s."""

import asyncio
import gc
import os
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from listener.base.threads import DaemonExecutor
from listener.feishu.session import Limits, Session
from listener.feishu.transport import Network
from listener.feishu.tunnel import open_tunnel
from listener.simulator import Link, Platform
from listener.simulator.faults import HANG, Reply
from tests.connection.listening import Handler, event, listening, no_calls, platform, until

NEXT = 15.0  # s
QUICK = Limits(endpoint=0.5, handshake=0.5)
QUICK_NETWORK = Network(connect_timeout=0.4, read_timeout=0.4, total_timeout=1.2)
DRIP = Reply(body=b"x" * 1000, drip=0.1)


async def hanging(step: str, limits: Limits, network: Network) -> float:
    """Seconds from the first attempt, which hangs at that step, to the connection after it."""
    async with platform() as stand_in, Link(stand_in.host, stand_in.port) as swallowing:
        swallowing.blackhole = True
        hang(step, stand_in, swallowing)
        started = time.monotonic()
        async with listening(stand_in.url, limits=limits, network=network) as listener:
            await listener.until(lambda: listener.supervisor.state.losses, "a failed attempt", NEXT)
            stand_in.gateway.url = None
            await listener.connected(within=NEXT)
            await stand_in.push(event(1)).acked()
            return time.monotonic() - started


def hang(step: str, stand_in: Platform, swallowing: Link) -> None:
    socket_url = f"127.0.0.1:{swallowing.port}/ws/v2?device_id=1&service_id=1"
    match step:
        case "endpoint":
            stand_in.faults.endpoint.append(HANG)
        case "endpoint drips":
            stand_in.faults.endpoint.append(DRIP)
        case "handshake":
            stand_in.faults.handshake.append(HANG)
        case "handshake drips":
            stand_in.faults.handshake.append(DRIP)
        case "accepting":
            stand_in.gateway.url = f"ws://{socket_url}"
        case "TLS":
            stand_in.gateway.url = f"wss://{socket_url}"


STEPS = ["endpoint", "endpoint drips", "handshake", "handshake drips", "accepting", "TLS"]


@pytest.mark.parametrize("step", STEPS)
def test_a_hang_is_given_up(step: str) -> None:
    assert asyncio.run(hanging(step, QUICK, QUICK_NETWORK)) < 3


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_the_next_attempt_comes_within_15_s(step: str) -> None:
    assert asyncio.run(hanging(step, Limits(), Network())) < NEXT


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_endpoint_that_swallows_everything_is_given_up(scheme: str) -> None:
    """With https it is the TLS handshake that stalls."""

    async def main() -> None:
        async with Link() as swallowing:
            swallowing.blackhole = True
            domain = f"{scheme}://127.0.0.1:{swallowing.port}"
            async with listening(domain, network=QUICK_NETWORK) as listener:
                await listener.until(lambda: swallowing.accepted >= 2, "a second attempt", 5)

    asyncio.run(main())


# asyncio's happy eyeballs drop a socket that connects in the moment of a cancellation: it is closed when collected.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("step", STEPS)
def test_a_session_that_is_cancelled_while_opening_leaves_no_socket(step: str) -> None:
    async def main() -> None:
        asyncio.get_running_loop().set_default_executor(DaemonExecutor())
        async with platform() as stand_in, Link(stand_in.host, stand_in.port) as swallowing:
            swallowing.blackhole = True
            hang(step, stand_in, swallowing)
            before = descriptors()
            session = Session("cli_a5ca1ab1e0ddba11", "demo-secret", stand_in.url, Handler(), network=QUICK_NETWORK)
            await cancelled(session.open(), lambda: swallowing.accepted or stand_in.endpoint_calls)
            await session.close()
            await no_calls()
            await until(lambda: descriptors() == before + swallowing.accepted, "no socket left")

    asyncio.run(main())


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_proxy_that_never_answers_keeps_no_socket() -> None:
    async def main() -> None:
        async with Link() as swallowing:
            swallowing.blackhole = True
            before = descriptors()
            await cancelled(open_tunnel(swallowing.url, "feishu.test", 443, None), lambda: swallowing.accepted)
            await until(lambda: descriptors() == before + swallowing.accepted, "no socket left")

    asyncio.run(main())


async def cancelled(step: Coroutine[Any, Any, object], when: Callable[[], object]) -> None:
    task = asyncio.ensure_future(step)
    await until(when, "the moment to cancel")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def descriptors() -> int:
    """How many are open in this process; the link's own ends are among them."""
    gc.collect()
    return len(os.listdir("/proc/self/fd"))
