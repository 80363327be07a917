"""Renews the connection all the time while events flow and acks are late: `python -m tests.connection.renewing 300`.

The figures tell what it cost: events that were refused, pushed twice, or lost.
"""

import asyncio
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass

from listener.simulator.delivery import OK
from tests.connection.listening import Handler, Verdict, event, listening, platform

RATE = 200  # events/s
SLOWEST_ACK = 0.05  # s


class Late(Handler):
    """Answers each event with 200, after a random time."""

    def _do_without_validation(self, payload: bytes) -> Verdict:
        self.payloads.append(payload)
        verdict = Verdict()
        asyncio.get_running_loop().call_later(random.uniform(0, SLOWEST_ACK), _answering(verdict))
        return verdict


def _answering(verdict: Verdict) -> Callable[[], None]:
    return lambda: verdict.reply(OK)


@dataclass(frozen=True)
class Figures:
    """What came of it; `used` is how many connections brought events."""

    pushed: int
    acked: int
    refused: int
    pushed_twice: int
    lost: int
    renewals: int
    losses: int
    used: int
    most_at_once: int


async def renewing(seconds: float, every: float) -> Figures:
    """Pushes RATE events a second, and renews `every` so many seconds."""
    handler, count, most = Late(), int(seconds * RATE), 0
    async with platform() as stand_in, listening(stand_in.url, handler=handler, renew_every=every) as listener:
        await listener.connected()
        loop = asyncio.get_running_loop()
        began = loop.time()
        for number in range(count):
            await asyncio.sleep(began + number / RATE - loop.time())
            stand_in.push(event(number))
            most = max(most, len(stand_in.connections))
        await listener.until(lambda: stand_in.dispatcher.unsettled == 0, "everything acked", 20)
        counts, acks, state = stand_in.dispatcher.counts, stand_in.acks, listener.supervisor.state
        return Figures(
            pushed=count,
            acked=counts["acked"],
            refused=sum(ack.code != OK for ack in acks) + len(stand_in.stray_acks),
            pushed_twice=counts["redelivered"],
            lost=count - len(set(handler.payloads)),
            renewals=state.renewals,
            losses=sum(state.losses.values()),
            used=len({ack.connection_id for ack in acks}),
            most_at_once=most,
        )


if __name__ == "__main__":
    print(asyncio.run(renewing(float(sys.argv[1]), 10.0)))
