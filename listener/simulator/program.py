"""Runs the stand-in as a program: it serves until a signal, pushes a conversation or a flood, and counts."""

import asyncio
import math
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

from listener.simulator import named_faults
from listener.simulator.conversation import conversation
from listener.simulator.delivery import Delivery
from listener.simulator.flood import FloodResult
from listener.simulator.gateway import DEMO_CREDENTIALS
from listener.simulator.server import Platform

CUT_EVERY = 10  # events, for the fault "cuts"


@dataclass(frozen=True, kw_only=True)
class Serving:
    """What the program is to do.

    rate: events a second, 0 for none. count: at most so many. scale: factor on the redelivery delays. flood: push
    `count` events at full speed, with so many unacked. until_acked: end when they are acked. faults: names out of
    `named_faults.NAMES`.
    """

    host: str = "127.0.0.1"
    port: int = 0
    rate: float = 0.0
    count: int | None = None
    scale: float = 1.0
    ping_interval: int = 120
    flood: int = 0
    until_acked: bool = False
    faults: tuple[str, ...] = ()


def environment(platform: Platform) -> dict[str, str]:
    """Returns what a client's environment is set to, so that it connects here."""
    app_id, secret = next(iter(DEMO_CREDENTIALS.items()))
    return {"FEISHU_DOMAIN": platform.url, "FEISHU_APP_ID": app_id, "FEISHU_APP_SECRET": secret}


async def serve(
    serving: Serving,
    announce: Callable[[dict[str, str]], None],
    report: Callable[[FloodResult], None] = lambda _: None,
) -> dict[str, int]:
    """Serves until SIGTERM, SIGINT or its own end; returns what was counted. `announce` gets `environment`."""
    platform = Platform(scale=serving.scale)
    named_faults.apply(serving.faults, platform.faults)
    async with await platform.start(serving.host, serving.port):
        platform.gateway.client_config["PingInterval"] = serving.ping_interval
        work = asyncio.create_task(_work(platform, serving, report))
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, work.cancel)
        announce(environment(platform))
        with suppress(asyncio.CancelledError):
            await work
        return {**platform.counts, **platform.dispatcher.counts}


async def _work(platform: Platform, serving: Serving, report: Callable[[FloodResult], None]) -> None:
    if serving.flood:
        await platform.connected(within=math.inf)
        report(await platform.flood(serving.count or 100_000, serving.flood))
    elif serving.rate:
        await _talk(platform, serving)
    if not serving.until_acked:
        await asyncio.Event().wait()


async def _talk(platform: Platform, serving: Serving) -> None:
    """Pushes the conversation at that rate, and waits until it is acked or given up."""
    for number, payload in enumerate(islice(conversation(), serving.count), 1):
        delivery = platform.push(payload, parts=3 if "split" in serving.faults else 1)
        if "duplicates" in serving.faults:
            await _repeat(platform, delivery)
        if "cuts" in serving.faults and number % CUT_EVERY == 0:
            await platform.cut()
        await asyncio.sleep(1 / serving.rate)
    await platform.watch.until(lambda: not platform.dispatcher.unsettled, "all events settled", math.inf)


async def _repeat(platform: Platform, delivery: Delivery) -> None:
    await platform.connected(within=math.inf)
    platform.repeat(delivery)
