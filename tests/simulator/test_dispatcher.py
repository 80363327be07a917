"""Redelivery: when, how often, and what settles an event."""

import asyncio

import pytest

from listener.simulator import Platform, Undelivered
from tests.simulator.client import answer, connected, receive


def test_a_refused_event_comes_again_after_the_schedules_delays() -> None:
    async def main() -> None:
        platform = Platform(schedule=(5, 10), scale=0.01)
        async with platform, connected(platform) as socket:
            delivery = platform.push(b"{}")
            for code in (500, 404, 200):
                await answer(socket, await receive(socket), code)
            await delivery.acked()
            assert [500, 404, 200] == delivery.codes
            first, second, third = delivery.pushed_at
            assert (True, True) == (second - first >= 0.05, third - second >= 0.1)
            assert {"pushes": 3, "redelivered": 2, "acked": 1} == dict(platform.dispatcher.counts)

    asyncio.run(main())


def test_silence_is_taken_for_a_refusal_and_a_late_ack_changes_nothing() -> None:
    async def main() -> None:
        platform = Platform(ack_timeout=0.05, schedule=(0.05, 60))
        async with platform, connected(platform) as socket:
            delivery = platform.push(b"{}")
            first, second = await receive(socket), await receive(socket)
            assert first == second
            await delivery.watch.until(lambda: delivery.state == "bounced", "the second timeout")
            await answer(socket, second)
            await delivery.answered()
            assert ("bounced", False) == (delivery.state, delivery.acks[0].in_time)

    asyncio.run(main())


def test_it_is_given_up_when_the_schedule_is_used_up() -> None:
    async def main() -> None:
        platform = Platform(ack_timeout=0.01, scale=0.0)
        async with platform, connected(platform):
            delivery = platform.push(b"{}")
            with pytest.raises(Undelivered, match="5 pushes"):
                await delivery.acked()
            assert ("given_up", 0) == (delivery.state, platform.dispatcher.unsettled)

    asyncio.run(main())


def test_what_a_lost_connection_did_not_ack_comes_again_on_the_next() -> None:
    async def main() -> None:
        platform = Platform(schedule=(0.01,))
        async with platform:
            async with connected(platform) as socket:
                delivery = platform.push(b"{}")
                first = await receive(socket)
                await platform.cut()
            async with connected(platform) as socket:
                assert first == await receive(socket)
                await answer(socket, first)
                await delivery.acked()
            assert (2, 2) == (delivery.pushes, len(set(delivery.connection_ids)))

    asyncio.run(main())


def test_an_ack_on_another_connection_is_a_stray() -> None:
    async def main() -> None:
        platform = Platform()
        async with platform, connected(platform) as socket:
            delivery = platform.push(b"{}")
            frame = await receive(socket)
            async with connected(platform) as other:
                await answer(other, frame)
                await platform.watch.until(lambda: platform.stray_acks, "the stray")
            assert (0, delivery.message_id) == (len(delivery.acks), platform.stray_acks[0].message_id)

    asyncio.run(main())


def test_duplicates_come_after_success_too_and_each_is_acked() -> None:
    async def main() -> None:
        async with Platform() as platform, connected(platform) as socket:
            delivery = platform.push(b"{}")
            await answer(socket, await receive(socket))
            await delivery.acked()
            platform.repeat(delivery)
            await answer(socket, await receive(socket))
            await delivery.answered(2)
            assert ([200, 200], "acked", 2) == (delivery.codes, delivery.state, delivery.pushes)

    asyncio.run(main())


def test_waiting_in_vain_says_for_what() -> None:
    async def main() -> None:
        async with Platform() as platform:
            with pytest.raises(TimeoutError, match="3 connections open"):
                await platform.connected(3, within=0.01)

    asyncio.run(main())
