"""A connection that is lost in any way is back, and events flow again, within 3 s."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from listener.base.errors import Lost
from listener.base.threads import DaemonExecutor
from listener.feishu.session import Session
from listener.simulator import Link, Platform, PlatformThread, websocket_codec
from tests.connection.listening import Handler, event, listening, platform
from tests.daemon import Daemon

BACK = 3.0  # s
Loss = Callable[[Platform, Link], Awaitable[None]]


def closed(code: int) -> Loss:
    """A close frame with that code."""
    return lambda stand_in, _: stand_in.cut(how="close", code=code, reason="because")


LOSSES: dict[str, Loss] = {
    "link reset": lambda _, link: link.cut("reset"),
    "link FIN": lambda _, link: link.cut("fin"),
    "peer reset": lambda stand_in, _: stand_in.cut(how="reset"),
    "peer FIN": lambda stand_in, _: stand_in.cut(how="fin"),
    **{f"close {code}": closed(code) for code in (1000, 1001, 1006, 1008, 1011, 4000, 4999)},
}


@pytest.mark.parametrize("how", LOSSES)
def test_events_flow_again_within_3_s_of_a_loss(how: str) -> None:
    async def main() -> float:
        async with (
            platform() as stand_in,
            Link(stand_in.host, stand_in.port) as link,
            listening(link.url) as listener,
        ):
            await listener.connected()
            await stand_in.push(event(1)).acked()
            lost = time.monotonic()
            await LOSSES[how](stand_in, link)
            await stand_in.push(event(2)).acked(BACK)
            assert {event(1), event(2)} == set(listener.handler.payloads)
            return time.monotonic() - lost

    assert asyncio.run(main()) < BACK


def test_a_slow_link_is_no_loss() -> None:
    async def main() -> None:
        async with platform() as stand_in, Link(stand_in.host, stand_in.port) as link:
            link.rate = 10_000  # bytes a second
            async with listening(link.url) as listener:
                await listener.connected()
                await stand_in.push(b"x" * 10_000).acked()
                assert (1, {}) == (
                    listener.supervisor.state.connections,
                    listener.supervisor.state.losses,
                )

    asyncio.run(main())


def test_a_connection_that_is_gone_before_anybody_listens_is_lost() -> None:
    async def main() -> None:
        asyncio.get_running_loop().set_default_executor(DaemonExecutor())
        async with platform() as stand_in:
            session = Session("cli_a5ca1ab1e0ddba11", "demo-secret", stand_in.url, Handler())
            await session.open()
            await stand_in.cut()
            assert session.connection is not None
            await session.connection.wait_closed()
            async with asyncio.timeout(BACK):
                with pytest.raises(Lost, match="without a close frame"):
                    await session.listen()
            await session.close()

    asyncio.run(main())


def test_a_session_may_be_closed_at_any_time_and_twice() -> None:
    async def main() -> None:
        asyncio.get_running_loop().set_default_executor(DaemonExecutor())
        async with platform() as stand_in:
            session = Session("cli_a5ca1ab1e0ddba11", "demo-secret", stand_in.url, Handler())
            await session.close()
            await session.open()
            await session.close()
            await session.close()
            assert [1000] == [code for _, code, _ in stand_in.clean_closes]

    asyncio.run(main())


BUG = """
from listener.feishu.session import Session
async def listen(self):
    raise RuntimeError("a bug of ours")
Session.listen = listen
from listener.cli.main import main
main()
"""


def test_a_bug_ends_the_process_loudly(tmp_path: Path) -> None:
    """It is never up and deaf, and never gone with 0."""
    program = (sys.executable, "-c", BUG)
    with PlatformThread() as stand_in, Daemon(tmp_path, domain=stand_in.url, program=program) as daemon:
        assert 1 == daemon.wait()
        assert daemon.said("RuntimeError: a bug of ours")


def test_a_peer_that_says_goodbye_and_stays_is_left() -> None:
    async def main() -> None:
        async with platform() as stand_in, listening(stand_in.url) as listener:
            await listener.connected()
            stand_in.faults.connected = "deaf"  # it will not answer the echo of its close frame with a FIN
            stand_in.connections[0].write(websocket_codec.encode_close(1000))
            await listener.connected(2, within=BACK)
            assert {"closed": 1} == listener.supervisor.state.losses

    asyncio.run(main())
