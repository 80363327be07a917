"""Clients in one process share nothing: two apps, each at its own platform, and two connections of one app."""

import asyncio
from contextlib import AsyncExitStack

from listener.base.threads import DaemonExecutor
from listener.feishu.session import Session
from listener.simulator import Platform
from tests.connection.listening import Handler, event, platform, until


async def opened(stack: AsyncExitStack, stand_in: Platform, app_id: str) -> tuple[Session, Handler]:
    """A session of this app that listens until the stack ends."""
    handler = Handler()
    session = Session(app_id, f"secret of {app_id}", stand_in.url, handler)
    stack.push_async_callback(session.close)
    await session.open()
    listening = asyncio.ensure_future(session.listen())
    stack.callback(listening.cancel)
    return session, handler


def serves(stand_in: Platform, app_id: str) -> Platform:
    """Knows this app alone."""
    stand_in.gateway.credentials = {app_id: f"secret of {app_id}"}
    return stand_in


def test_two_apps_each_get_their_own_events_and_one_goes_on_when_the_other_stops() -> None:
    async def main() -> None:
        asyncio.get_running_loop().set_default_executor(DaemonExecutor())
        async with platform() as one, platform() as other, AsyncExitStack() as stack:
            a, at_a = await opened(stack, serves(one, "cli_a"), "cli_a")
            _, at_b = await opened(stack, serves(other, "cli_b"), "cli_b")
            await one.push(event(1)).acked()
            await other.push(event(2)).acked()
            assert ([event(1)], [event(2)]) == (at_a.payloads, at_b.payloads)
            await a.close()
            await other.push(event(3)).acked()
            assert ([event(1)], [event(2), event(3)]) == (at_a.payloads, at_b.payloads)

    asyncio.run(main())


def test_timings_of_one_platform_are_not_the_others() -> None:
    async def main() -> None:
        asyncio.get_running_loop().set_default_executor(DaemonExecutor())
        async with platform() as one, platform() as other, AsyncExitStack() as stack:
            other.gateway.client_config = {"PingInterval": 77}
            a, _ = await opened(stack, serves(one, "cli_a"), "cli_a")
            b, _ = await opened(stack, serves(other, "cli_b"), "cli_b")
            await until(lambda: a.round_trip and b.round_trip, "both have their pong")
            assert (2, 77) == (a.timings.ping_interval, b.timings.ping_interval)

    asyncio.run(main())


def test_two_connections_of_one_app_are_open_at_once() -> None:
    async def main() -> None:
        asyncio.get_running_loop().set_default_executor(DaemonExecutor())
        async with platform() as one, AsyncExitStack() as stack:
            first, _ = await opened(stack, serves(one, "cli_a"), "cli_a")
            second, at_second = await opened(stack, one, "cli_a")
            assert (2, 2) == (len(one.connections), len({first.connection_id, second.connection_id}))
            await first.close()
            await until(lambda: len(one.connections) == 1, "the first is closed")
            await one.push(event(1)).acked()
            assert [event(1)] == at_second.payloads

    asyncio.run(main())
