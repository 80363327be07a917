"""Prints how long records wait for their tickets, at 200 messages a second over 50 tickets.

python -m tests.enrich.delay                 an API that takes 200 ms
python -m tests.enrich.delay --seconds 60
"""

import argparse
import asyncio
import tempfile
import time
from collections import Counter
from pathlib import Path

from listener.feishu.http_api import TICKETS_PATH
from listener.simulator import PlatformThread
from listener.simulator.connection import Connection
from listener.simulator.http1 import HttpRequest
from listener.simulator.server import Platform
from tests.daemon import Daemon
from tests.enrich.helping import TICKET, config, message


def slow(platform: Platform, seconds: float) -> None:
    """Has the stand-in answer the APIs this much later."""
    handle = platform.on_request

    def later(connection: Connection, request: HttpRequest) -> None:
        if request.path.startswith(TICKETS_PATH):
            asyncio.get_running_loop().call_later(seconds, handle, connection, request)
        else:
            handle(connection, request)

    platform.on_request = later  # type: ignore[method-assign]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--tickets", type=int, default=50)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, PlatformThread() as stand_in:
        slow(stand_in.platform, 0.2)
        _measure(Path(home), stand_in, wanted.seconds, wanted.rate, wanted.tickets)


def _measure(home: Path, stand_in: PlatformThread, seconds: float, rate: float, tickets: int) -> None:
    pushed: dict[str, float] = {}
    seen: dict[str, float] = {}
    file = home / "logs" / "tickets.jsonl"

    at = 0

    def look() -> None:
        nonlocal at
        if not file.exists():
            return
        with file.open("rb") as opened:
            opened.seek(at)
            whole = opened.read().rpartition(b"\n")[0]
        at += len(whole) + bool(whole)
        now = time.monotonic()
        for line in whole.splitlines():
            seen[line[len(b'{"event_id":"') :].partition(b'"')[0].decode()] = now

    with Daemon(home, domain=stand_in.url, config=config(TICKET)) as daemon:
        daemon.ready()
        began, number = time.monotonic(), 0
        while (elapsed := time.monotonic() - began) < seconds:
            while number < elapsed * rate:
                pushed[f"e{number}"] = time.monotonic()
                stand_in.call(stand_in.platform.push, message(number, f"70000{number % tickets:02}"))
                number += 1
            look()
            time.sleep(0.02)
        while len(seen) < number:
            look()
            time.sleep(0.02)
        daemon.stop()
    delays = sorted(seen[one] - pushed[one] for one in pushed)
    without = sum(b"ticket_detail_error" in line for line in file.read_bytes().splitlines())
    asked = Counter(call.path for call in stand_in.platform.api_calls if call.path.startswith(f"{TICKETS_PATH}/"))
    p50, p99 = (delays[int(len(delays) * part)] for part in (0.5, 0.99))
    print(f"{number} messages, {rate:g}/s, {tickets} tickets: p50 {p50:.2f} s, p99 {p99:.2f} s, max {delays[-1]:.2f} s")
    print(f"{sum(asked.values())} requests, at most {max(asked.values())} of a ticket; {without} went without")


if __name__ == "__main__":
    main()
