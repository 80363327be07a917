"""A peer that is there and says nothing is noticed, by the application's own pings, and left."""

import asyncio
import time
from collections.abc import Callable

import pytest

from listener.feishu.session import Limits
from listener.simulator import Link, Platform
from tests.connection.listening import event, listening, platform

NOTICED = 15.0  # s
QUICK = Limits(pong=0.3, handshake=0.5, endpoint=0.5, close=0.5)
Silence = Callable[[Platform, Link], object]


def half_open(stand_in: Platform, _: Link) -> None:
    """The peer reads and sends nothing any more; no FIN."""
    stand_in.silence()


def no_pong(stand_in: Platform, _: Link) -> None:
    """The peer answers the websocket's keepalive, but no application ping."""
    stand_in.faults.connected = "no_pong"


def stalled(_: Platform, link: Link) -> None:
    """Nothing passes the link in either direction."""
    link.stall()


async def noticed(silence: Silence, limits: Limits, ping_interval: int = 2) -> float:
    """Seconds until a connection fell silent until there was another one."""
    async with (
        platform() as stand_in,
        Link(stand_in.host, stand_in.port) as link,
        listening(link.url, limits=limits) as listener,
    ):
        stand_in.gateway.client_config["PingInterval"] = ping_interval
        await listener.connected()
        await stand_in.push(event(1)).acked()
        silence(stand_in, link)
        fell_silent = time.monotonic()
        await listener.until(lambda: listener.supervisor.state.losses, "noticed", NOTICED)
        link.resume()
        await listener.connected(2, NOTICED)
        stand_in.faults.connected = "serve"
        await stand_in.push(event(2)).acked()
        assert {"silent": 1} == listener.supervisor.state.losses
        return time.monotonic() - fell_silent


@pytest.mark.parametrize("silence", [half_open, no_pong, stalled])
def test_silence_is_noticed(silence: Silence) -> None:
    assert asyncio.run(noticed(silence, QUICK, 1)) < 4


@pytest.mark.slow
@pytest.mark.parametrize("silence", [half_open, no_pong, stalled])
def test_silence_is_noticed_within_15_s(silence: Silence) -> None:
    assert asyncio.run(noticed(silence, Limits())) < NOTICED


def test_no_events_is_not_silence() -> None:
    async def main() -> None:
        async with platform() as stand_in, listening(stand_in.url, limits=QUICK) as listener:
            stand_in.gateway.client_config["PingInterval"] = 1
            await listener.connected()
            await stand_in.watch.until(lambda: stand_in.counts["pongs"] >= 2, "two pongs")
            assert {} == listener.supervisor.state.losses
            session = listener.supervisor.session
            assert session is not None
            assert session.fresh
            assert session.round_trip is not None
            assert 0 < session.round_trip < 1

    asyncio.run(main())


def test_a_busy_peer_that_answers_no_ping_is_alive() -> None:
    """Some frame must come after a ping: an event is one."""

    async def main() -> None:
        async with platform() as stand_in, listening(stand_in.url, limits=QUICK) as listener:
            stand_in.faults.connected = "no_pong"
            await listener.connected()
            for number in range(20):
                await stand_in.push(event(number)).acked()
                await asyncio.sleep(0.05)  # in all longer than a silent peer is borne
            assert (1, {}) == (
                listener.supervisor.state.connections,
                listener.supervisor.state.losses,
            )

    asyncio.run(main())


def test_a_peer_that_reads_no_acks_does_not_fill_the_memory() -> None:
    async def main() -> int:
        async with platform() as stand_in, listening(stand_in.url) as listener:
            await listener.connected()
            connection = stand_in.connections[0]
            connection.transport.pause_reading()
            padding = {f"unknown-{number}": "x" * 60_000 for number in range(10)}
            while len(listener.supervisor.state.losses) == 0:
                stand_in.push(event(1), headers=padding)
                await asyncio.sleep(0)
            return len(listener.handler.payloads)

    assert 8 * 2**20 < asyncio.run(main()) * 600_000 < 64 * 2**20
