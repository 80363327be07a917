"""The benchmark's driver: every event is settled, the window is kept, and trouble goes the dispatcher's way."""

import asyncio

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from listener.simulator import FloodResult, Platform, frames
from listener.simulator.flood import default_payload
from listener.simulator.frames import Frame
from tests.simulator.client import answer, connected


async def _serve(socket: ClientConnection, seen: list[Frame], refuse: int = 0) -> None:
    """Acks everything, the first `refuse` events with 500, until the connection ends."""
    try:
        async for message in socket:
            assert isinstance(message, bytes)
            frame = frames.decode(message)
            seen.append(Frame(frame.seq_id, headers=list(frame.headers), payload=frame.payload))
            await answer(socket, frame, 500 if len(seen) <= refuse else 200)
    except ConnectionClosed:
        return


def test_every_event_is_acked_and_timed() -> None:
    async def main() -> FloodResult:
        seen: list[Frame] = []
        async with Platform() as platform, connected(platform) as socket, asyncio.TaskGroup() as tasks:
            tasks.create_task(_serve(socket, seen))
            result = await platform.flood(200, unacked=8)
            await platform.cut()
        assert [default_payload(index) for index in range(200)] == [frame.payload for frame in seen]
        assert 200 == len({frame.header("message_id") for frame in seen})
        return result

    result = asyncio.run(main())
    assert (200, 200, 0, 0) == (result.count, len(result.latencies), result.bounced, len(result.given_up))
    assert 0 < result.percentile(50) <= result.percentile(99) < 5
    assert result.rate > 0


def test_no_more_are_in_flight_than_asked_for() -> None:
    async def main() -> None:
        async with Platform() as platform, connected(platform) as socket:
            flood = asyncio.create_task(platform.flood(20, unacked=5))
            window = [await socket.recv() for _ in range(5)]
            try:
                async with asyncio.timeout(0.1):
                    window.append(await socket.recv())
            except TimeoutError:
                pass
            assert 5 == len(window)
            flood.cancel()

    asyncio.run(main())


def test_refused_events_are_pushed_again_and_the_flood_ends() -> None:
    async def main() -> None:
        seen: list[Frame] = []
        platform = Platform(schedule=(0.01,))
        async with platform, connected(platform) as socket, asyncio.TaskGroup() as tasks:
            tasks.create_task(_serve(socket, seen, refuse=3))
            result = await platform.flood(50, unacked=4)
            await platform.cut()
        assert (3, 0, 53) == (result.bounced, len(result.given_up), len(seen))
        assert 47 == len(result.latencies)

    asyncio.run(main())


def test_a_cut_on_the_way_loses_nothing() -> None:
    async def main() -> None:
        seen: list[Frame] = []
        platform = Platform(schedule=(0.01, 0.01, 0.01))
        async with platform, asyncio.TaskGroup() as tasks, connected(platform) as first:
            flood = tasks.create_task(platform.flood(300, unacked=16))
            window = [await first.recv() for _ in range(16)]
            assert 16 == len(window)
            await platform.cut()
            async with connected(platform) as second:
                tasks.create_task(_serve(second, seen))
                result = await flood
                await platform.cut()
        assert (16, 0) == (result.bounced, len(result.given_up))
        assert {default_payload(index) for index in range(300)} == {frame.payload for frame in seen}

    asyncio.run(main())


def test_silence_on_the_way_is_given_up() -> None:
    async def main() -> FloodResult:
        platform = Platform(ack_timeout=0.05, schedule=())
        async with platform, connected(platform):
            return await platform.flood(4, unacked=2)

    assert [default_payload(index) for index in range(4)] == asyncio.run(main()).given_up


def test_it_shares_itself_out_over_the_connections() -> None:
    async def main() -> None:
        one: list[Frame] = []
        other: list[Frame] = []
        platform = Platform()
        async with platform, connected(platform) as first, connected(platform) as second:
            clients = [asyncio.create_task(_serve(*client)) for client in ((first, one), (second, other))]
            await platform.flood(200, unacked=8)
            await platform.cut()
            await asyncio.gather(*clients)
        assert (200, True, True) == (len(one) + len(other), len(one) > 0, len(other) > 0)

    asyncio.run(main())
