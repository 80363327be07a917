"""A connection that is lost in any way is back, and events flow again, within 3 s."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from listener.platform import Link, Platform, websocket
from tests.connection.listening import event, listening, platform

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


def test_a_peer_that_says_goodbye_and_stays_is_left() -> None:
    async def main() -> None:
        async with platform() as stand_in, listening(stand_in.url) as listener:
            await listener.connected()
            stand_in.faults.connected = "deaf"  # it will not answer the echo of its close frame with a FIN
            stand_in.connections[0].write(websocket.encode_close(1000))
            await listener.connected(2, within=BACK)
            assert {"closed": 1} == listener.supervisor.state.losses

    asyncio.run(main())
