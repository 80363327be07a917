"""Events in several frames, over real sockets: any order, twice, interleaved, late; one ack for all."""

import asyncio
from collections.abc import Sequence

import pytest

from tests.connection.listening import event, listening, platform

ORDERS = {
    "in order": (3, [0, 1, 2]),
    "backwards": (3, [2, 1, 0]),
    "twice": (3, [0, 0, 2, 2, 1]),
    "many": (100, [*range(99, -1, -1)]),
}


@pytest.mark.parametrize("how", ORDERS)
def test_parts_become_one_event_with_one_ack(how: str) -> None:
    parts, order = ORDERS[how]

    async def main() -> None:
        async with platform() as stand_in, listening(stand_in.url) as listener:
            await listener.connected()
            delivery = stand_in.push(event(1), parts=parts, order=order)
            await delivery.acked()
            await stand_in.push(event(2)).acked()
            assert [event(1), event(2)] == listener.handler.payloads
            assert ([200], []) == (delivery.codes, listener.bad_frames)

    asyncio.run(main())


def test_messages_may_be_interleaved() -> None:
    async def main() -> None:
        async with platform() as stand_in, listening(stand_in.url) as listener:
            await listener.connected()
            pushed = [stand_in.push(event(number), parts=3, order=[]) for number in range(5)]
            for index in (2, 0, 1):
                for delivery in pushed:
                    stand_in.connections[0].send(delivery.frames[index])
            for delivery in pushed:
                await delivery.acked()
            assert {event(number) for number in range(5)} == set(listener.handler.payloads)

    asyncio.run(main())


@pytest.mark.parametrize("straggler", [[0], [0, 1]])
def test_a_redelivery_heals_a_message_that_lost_a_part(straggler: Sequence[int]) -> None:
    """On the same connection the parts that came count; the whole message comes again all the same."""

    async def main() -> None:
        async with platform(ack_timeout=0.2) as stand_in, listening(stand_in.url) as listener:
            await listener.connected()
            delivery = stand_in.push(event(1), parts=3, order=straggler)
            await listener.until(lambda: delivery.state == "bounced", "bounced")
            delivery.order = range(3)
            await delivery.acked()
            assert [event(1)] == listener.handler.payloads

    asyncio.run(main())


def test_parts_of_a_lost_connection_do_not_count() -> None:
    async def main() -> None:
        async with platform() as stand_in, listening(stand_in.url) as listener:
            await listener.connected()
            delivery = stand_in.push(event(1), parts=2, order=[0])
            delivery.order = [1]
            await stand_in.cut()
            await listener.connected(2)
            await listener.until(lambda: delivery.pushes == 2, "pushed again")
            await stand_in.push(event(2)).acked()
            assert [event(2)] == listener.handler.payloads

    asyncio.run(main())
