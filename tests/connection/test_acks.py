"""An ack: the frame's echo, on the connection that brought it, or none."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from listener.simulator import Delivery, Platform
from tests.connection.listening import Listening, event, listening, platform


@asynccontextmanager
async def unanswered(count: int = 1) -> AsyncIterator[tuple[Platform, Listening, list[Delivery]]]:
    """So many events have come in, and nobody has said yet what became of them."""
    async with platform() as stand_in, listening(stand_in.url) as listener:
        listener.handler.answers = False
        await listener.connected()
        pushed = [stand_in.push(event(number)) for number in range(count)]
        await listener.until(lambda: len(listener.handler.verdicts) == count, "all of them")
        yield stand_in, listener, pushed


def test_unknown_headers_are_echoed_in_order_and_biz_rt_comes_last() -> None:
    async def main() -> None:
        async with platform() as stand_in, listening(stand_in.url) as listener:
            await listener.connected()
            delivery = stand_in.push(event(1), headers={"x-unknown": "值", "instance_id": "i-9"})
            ack = await delivery.acked()
            sent = ["type", "message_id", "sum", "seq", "trace_id", "timestamp", "instance_id", "x-unknown", "biz_rt"]
            assert sent == [key for key, _ in ack.headers]
            assert {"x-unknown": "值", "instance_id": "i-9"}.items() <= dict(ack.headers).items()
            assert ack.biz_rt is not None
            assert ack.biz_rt.isdecimal()

    asyncio.run(main())


def test_frames_of_other_types_are_acked_and_told_of() -> None:
    async def main() -> None:
        async with platform() as stand_in, listening(stand_in.url) as listener:
            await listener.connected()
            for kind in ("card", "what is yet to come"):
                await stand_in.push(b"{}", message_type=kind).acked()
            assert ([], 2) == (listener.handler.payloads, len(listener.bad_frames))

    asyncio.run(main())


def test_an_event_in_the_same_breath_as_the_handshake_is_acked() -> None:
    async def main() -> None:
        async with platform() as stand_in:
            waiting = [stand_in.push(event(number)) for number in range(20)]  # until a connection opens
            async with listening(stand_in.url):
                for delivery in waiting:
                    await delivery.acked()
                assert {1} == {delivery.pushes for delivery in waiting}

    asyncio.run(main())


def test_an_ack_that_comes_too_late_leaves_on_no_other_connection() -> None:
    async def main() -> None:
        async with unanswered() as (stand_in, listener, [delivery]):
            await stand_in.cut()
            await listener.connected(2)
            listener.handler.verdicts[0].reply(200)
            await listener.until(lambda: len(listener.handler.verdicts) == 2, "the event again")
            listener.handler.verdicts[1].reply(200)
            ack = await delivery.acked()
            assert ([200], []) == (delivery.codes, list(stand_in.stray_acks))
            assert ack.connection_id == delivery.connection_ids[-1]

    asyncio.run(main())


def test_acks_that_are_due_together_leave_together_and_in_order() -> None:
    async def main() -> None:
        async with unanswered(100) as (stand_in, listener, pushed):
            for verdict in reversed(listener.handler.verdicts):
                verdict.reply(200)
            for delivery in pushed:
                await delivery.acked()
            by_number = [delivery.message_id for delivery in reversed(pushed)]
            assert by_number == [ack.message_id for ack in stand_in.acks]

    asyncio.run(main())


def test_a_refusal_is_answered_with_500() -> None:
    async def main() -> None:
        async with unanswered() as (_, listener, [delivery]):
            listener.handler.verdicts[0].reply(500)
            await delivery.answered()
            assert [500] == delivery.codes

    asyncio.run(main())
