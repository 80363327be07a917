"""A fresh connection takes over from the old one, and nothing is lost, refused or pushed twice because of it."""

import asyncio
import time

import pytest
from structlog.testing import capture_logs

from listener.feishu.session import Limits
from listener.feishu.websocket import MAX_MESSAGE
from listener.simulator import faults
from listener.sources.long_connection import Backoff
from tests.connection.listening import event, listening, platform
from tests.connection.renewing import Figures, renewing

QUICK = Limits(pong=0.5, handshake=0.5, endpoint=0.5, close=0.5)


def assert_it_cost_nothing(figures: Figures) -> None:
    assert (0, 0, 0, 0) == (figures.refused, figures.pushed_twice, figures.lost, figures.losses), figures
    assert figures.pushed == figures.acked
    assert figures.renewals + 1 == figures.used
    assert 2 == figures.most_at_once


@pytest.mark.slow
@pytest.mark.long
def test_renewals_under_load_refuse_repeat_and_lose_nothing() -> None:
    """For 5 minutes: `python -m tests.connection.renewing 300`."""
    figures = asyncio.run(renewing(60, 10.0))
    assert_it_cost_nothing(figures)
    assert figures.renewals >= 5


def test_a_renewal_costs_nothing() -> None:
    assert_it_cost_nothing(asyncio.run(renewing(3, 1.2)))


def test_a_zombie_that_answers_pings_is_replaced_within_two_periods() -> None:
    async def main() -> float:
        async with platform() as stand_in, listening(stand_in.url, renew_every=1.0) as listener:
            await listener.connected()
            stand_in.zombify()
            began = time.monotonic()
            await stand_in.push(event(1)).acked()
            assert {} == listener.supervisor.state.losses
            return time.monotonic() - began

    assert asyncio.run(main()) < 2.0


def test_a_connection_that_is_not_proven_does_not_replace_one_that_works() -> None:
    """The new one opens, and its ping is not answered: the old one goes on bringing events."""

    async def main() -> None:
        stand_in = platform()
        stand_in.gateway.client_config["PingInterval"] = 100
        async with stand_in, listening(stand_in.url, limits=QUICK, renew_every=0.5) as listener:
            await stand_in.watch.until(lambda: stand_in.counts["pongs"] == 1, "the old one is proven")
            stand_in.faults.connected = "no_pong"
            await stand_in.connected(2)
            old = stand_in.connections[0]
            stand_in.connections[1].zombie = True
            await listener.until(lambda: len(stand_in.connections) == 1, "the new one is given up")
            assert [old] == stand_in.connections
            assert 0 == listener.supervisor.state.renewals
            assert old.id == (await stand_in.push(event(1)).acked()).connection_id

    asyncio.run(main())


def test_no_room_for_a_second_connection_leaves_the_old_one_until_the_next_period() -> None:
    async def main() -> None:
        async with platform() as stand_in, listening(stand_in.url, renew_every=0.3) as listener:
            await listener.connected()
            stand_in.faults.handshake += [faults.CONNECTION_LIMIT] * 2
            with capture_logs() as lines:
                await listener.until(lambda: not stand_in.faults.handshake, "refused twice")
                assert 0 == listener.supervisor.state.renewals
                await listener.until(lambda: listener.supervisor.state.renewals, "renewed in a later period")
            told = [line for line in lines if "could not be renewed" in line["event"]]
            assert 1 == len(told)
            assert {} == listener.supervisor.state.losses

    asyncio.run(main())


def test_the_period_changes_while_it_runs() -> None:
    async def main() -> None:
        async with platform() as stand_in, listening(stand_in.url, renew_every=None) as listener:
            await listener.connected()
            listener.supervisor.renewal.every = 0.2
            await listener.until(lambda: listener.supervisor.state.renewals, "renewed")
            assert listener.supervisor.renewal.two_at_once

    asyncio.run(main())


def test_after_the_machine_slept_the_connection_is_probed_at_once() -> None:
    async def main() -> float:
        slept = [0.0]
        async with platform() as stand_in, listening(stand_in.url, suspended=lambda: slept[0]) as listener:
            stand_in.gateway.client_config["PingInterval"] = 120
            await listener.connected()
            await stand_in.push(event(1)).acked()
            stand_in.silence()
            began, slept[0] = time.monotonic(), 3600.0
            await listener.connected(2)
            return time.monotonic() - began

    assert asyncio.run(main()) < 5


def test_a_connection_that_survived_the_sleep_stays() -> None:
    async def main() -> None:
        slept = [0.0]
        async with platform() as stand_in, listening(stand_in.url, suspended=lambda: slept[0]) as listener:
            stand_in.gateway.client_config["PingInterval"] = 120
            await listener.connected()
            await listener.until(lambda: stand_in.counts["pongs"] == 1, "the first pong")
            slept[0] = 3600.0
            await listener.until(lambda: stand_in.counts["pongs"] == 2, "the probe's pong")
            assert {} == listener.supervisor.state.losses

    asyncio.run(main())


def test_after_the_machine_slept_no_wait_for_the_next_attempt_goes_on() -> None:
    async def main() -> float:
        slept = [0.0]
        backoff = Backoff(slow_initial=3600, slow_max=3600)
        async with platform() as stand_in:
            stand_in.faults.handshake += [faults.CONNECTION_LIMIT]
            async with listening(stand_in.url, backoff=backoff, suspended=lambda: slept[0]) as listener:
                await listener.until(lambda: listener.supervisor.state.phase == "waiting", "waiting")
                began, slept[0] = time.monotonic(), 3600.0
                await listener.connected()
                return time.monotonic() - began

    assert asyncio.run(main()) < 4


def test_a_message_over_the_limit_is_told_with_its_size_and_the_limit() -> None:
    async def main() -> str:
        async with platform() as stand_in, listening(stand_in.url) as listener:
            await listener.connected()
            stand_in.send_raw(b"x" * (MAX_MESSAGE + 7))
            await listener.until(lambda: listener.supervisor.state.losses, "lost")
            assert {"too_big": 1} == listener.supervisor.state.losses
            return listener.supervisor.state.lost_because or ""

    said = asyncio.run(main())
    assert f"{MAX_MESSAGE + 7} bytes" in said
    assert f"limit is {MAX_MESSAGE} bytes" in said
