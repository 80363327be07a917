"""Prints how long records wait for their tickets, at 200 messages a second over 50 tickets, and what other sinks wait.

The first seconds are told apart: of 50 tickets that nobody has seen before, the platform lets 10 a second be asked
for (we ask for 8), so the last one's turn comes after 6 s; what waits longer than `enrich.wait` goes without meanwhile.

python -m tests.enrich.delay                 an API that takes 200 ms
python -m tests.enrich.delay --wait 10s      records wait longer, and all have their tickets
python -m tests.enrich.delay --hang          an API that never answers: what the sink without tickets waits
"""

import argparse
import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path

from listener.feishu.http_api import TICKETS_PATH
from listener.simulator import PlatformThread
from listener.simulator.connection import Connection
from listener.simulator.http1 import HttpRequest
from listener.simulator.server import Platform
from tests.daemon import Daemon
from tests.enrich.helping import TICKET, config, message

COLD = 10.0  # seconds


def slow(platform: Platform, seconds: float | None) -> None:
    """Has the stand-in answer the APIs this much later; None: never."""
    handle = platform.on_request

    def later(connection: Connection, request: HttpRequest) -> None:
        if request.path.startswith(TICKETS_PATH):
            if seconds is None:
                return
            asyncio.get_running_loop().call_later(seconds, handle, connection, request)
        else:
            handle(connection, request)

    platform.on_request = later  # type: ignore[method-assign]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--tickets", type=int, default=50)
    parser.add_argument("--wait", default="1s")
    parser.add_argument("--hang", action="store_true")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, PlatformThread() as stand_in:
        slow(stand_in.platform, None if wanted.hang else 0.2)
        _measure(Path(home), stand_in, wanted)
        _calls(stand_in)


class Tailed:
    """When each event's line was seen in a file."""

    def __init__(self, file: Path) -> None:
        self._file, self._at = file, 0
        self.seen: dict[str, float] = {}
        self.without: set[str] = set()

    def look(self) -> None:
        """Reads on."""
        if not self._file.exists():
            return
        with self._file.open("rb") as opened:
            opened.seek(self._at)
            whole = opened.read().rpartition(b"\n")[0]
        self._at += len(whole) + bool(whole)
        now = time.monotonic()
        for line in whole.splitlines():
            event_id = line[len(b'{"event_id":"') :].partition(b'"')[0].decode()
            self.seen[event_id] = now
            if b'"ticket_detail_error"' in line:
                self.without.add(event_id)


def _measure(home: Path, stand_in: PlatformThread, wanted: argparse.Namespace) -> None:
    pushed: dict[str, float] = {}
    with_tickets, plain = (Tailed(home / "logs" / f"{name}.jsonl") for name in ("tickets", "plain"))

    def look() -> None:
        with_tickets.look()
        plain.look()
        time.sleep(0.02)

    settings = config(TICKET, f'wait = "{wanted.wait}"')
    with Daemon(home, domain=stand_in.url, config=settings) as daemon:
        daemon.ready()
        began, number = time.monotonic(), 0
        while (elapsed := time.monotonic() - began) < wanted.seconds:
            while number < elapsed * wanted.rate:
                pushed[f"e{number}"] = time.monotonic()
                stand_in.call(stand_in.platform.push, message(number, f"70000{number % wanted.tickets:02}"))
                number += 1
            look()
        while min(len(with_tickets.seen), len(plain.seen)) < number:
            look()
        daemon.stop()
    print(f"{number} messages, {wanted.rate:g}/s, {wanted.tickets} tickets, enrich.wait {wanted.wait}")
    cold = {one for one, at in pushed.items() if at < began + COLD}
    for name, some in ((f"first {COLD:g} s", cold), ("after them", pushed.keys() - cold)):
        without = len(with_tickets.without & some)
        print(f"  {name}: {_delays(with_tickets, pushed, some)}; {without} of {len(some)} went without")
    print(f"  the sink without tickets: {_delays(plain, pushed, pushed.keys())}")


def _delays(tailed: Tailed, pushed: Mapping[str, float], some: Collection[str]) -> str:
    delays = sorted(tailed.seen[one] - pushed[one] for one in some)
    p50, p99 = (delays[int(len(delays) * part)] for part in (0.5, 0.99))
    return f"delay p50 {p50:.2f} s, p99 {p99:.2f} s, longest {delays[-1]:.2f} s"


def _calls(stand_in: PlatformThread) -> None:
    calls = list(stand_in.platform.api_calls)
    asked = Counter(call.path for call in calls if call.path.startswith(f"{TICKETS_PATH}/"))
    print(f"  {sum(asked.values())} requests, at most {max(asked.values(), default=0)} of a ticket")


if __name__ == "__main__":
    main()
