"""The stand-in on its own, for a developer: `python -m listener.simulator --port 8100 --rate 2`."""

import argparse
import asyncio
import json
import math
import signal
import sys
from contextlib import suppress
from itertools import islice

from listener.simulator.conversation import conversation
from listener.simulator.flood import FloodResult
from listener.simulator.gateway import DEMO_CREDENTIALS
from listener.simulator.server import Platform


def main() -> None:
    """Serves until SIGTERM or SIGINT, or as long as `--exit` asks for."""
    asyncio.run(_run(_arguments()))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m listener.simulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one (default)")
    parser.add_argument("--rate", type=float, default=0.0, help="events a second; 0 pushes none (default)")
    parser.add_argument("--count", type=int, default=None, help="push at most so many")
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the redelivery delays")
    parser.add_argument("--ping-interval", type=int, default=120, help="seconds, told to the clients")
    parser.add_argument("--flood", type=int, default=0, metavar="UNACKED", help="push --count events at full speed")
    parser.add_argument("--exit", action="store_true", help="exit when --count events are acked")
    return parser.parse_args()


async def _run(arguments: argparse.Namespace) -> None:
    platform = Platform(scale=arguments.scale)
    async with await platform.start(arguments.host, arguments.port):
        platform.gateway.client_config["PingInterval"] = arguments.ping_interval
        work = asyncio.create_task(_work(platform, arguments))
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, work.cancel)
        app_id, secret = next(iter(DEMO_CREDENTIALS.items()))
        _say(f"FEISHU_DOMAIN={platform.url} FEISHU_APP_ID={app_id} FEISHU_APP_SECRET={secret}")
        with suppress(asyncio.CancelledError):
            await work
        _say(json.dumps({**platform.counts, **platform.dispatcher.counts}))


async def _work(platform: Platform, arguments: argparse.Namespace) -> None:
    if arguments.flood:
        await platform.connected(within=math.inf)
        _report(await platform.flood(arguments.count or 100_000, arguments.flood))
    elif arguments.rate:
        await _talk(platform, arguments.rate, arguments.count)
    if not arguments.exit:
        await asyncio.Event().wait()


async def _talk(platform: Platform, rate: float, count: int | None) -> None:
    """Pushes the conversation at that rate, and waits until it is acked or given up."""
    for payload in islice(conversation(), count):
        platform.push(payload)
        await asyncio.sleep(1 / rate)
    await platform.watch.until(lambda: not platform.dispatcher.unsettled, "all events settled", math.inf)


def _report(result: FloodResult) -> None:
    figures = {
        "events": result.count,
        "events_per_s": round(result.rate),
        "p50_ms": round(result.percentile(50) * 1000, 3),
        "p99_ms": round(result.percentile(99) * 1000, 3),
        "bounced": result.bounced,
        "given_up": len(result.given_up),
    }
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.stdout.flush()


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main()
