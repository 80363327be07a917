"""The listener with very many events in its journal, a day of which is old enough to leave when it starts.

    python -m tests.bench.large --events 10000000

It tells how long the start took, the slowest ack while that day leaves, then events a second and the ack's p99, beside
a listener with an empty journal. The events are short (0.15 KB), so that ten million fit on a small disk.
"""

import argparse
import asyncio
import os
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path

from listener.base import logs
from tests.bench import clients
from tests.bench.clients import Client
from tests.bench.journals import fill
from tests.bench.machine import STAND_IN_CORE, median, percentile

KEEP, DAYS = 7, 8  # days
ROUNDS, FLOOD = 4, 8000
AT_ONCE, UNACKED = 1000, (1, 64)


def oldest(path: Path) -> int:
    """The lowest seq that is left."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        return int(connection.execute("SELECT ifnull(min(seq), 0) FROM events").fetchone()[0])


async def slowest_while_pruned(client: Client, path: Path, events: int) -> tuple[float, float]:
    """(seconds until the oldest day has left, the slowest ack meanwhile in seconds); one and 64 unacked in turns."""
    started, slowest = time.monotonic(), 0.0
    while oldest(path) <= events * (DAYS - KEEP) // DAYS:
        for unacked in UNACKED:
            flood = await client.flood(AT_ONCE, unacked)
            slowest = max(slowest, *flood.result.latencies)
    return time.monotonic() - started, slowest


async def measure(home: Path, events: int) -> None:
    path = home / "large" / "state" / "helpdesk.db"
    path.parent.mkdir(parents=True)
    began = time.monotonic()
    await asyncio.to_thread(fill, path, events, DAYS, short=True)
    say(f"{events:,} events in {time.monotonic() - began:.0f} s, {path.stat().st_size / 2**20:,.0f} MiB")
    async with clients.listener(home / "large", seq=events) as large, clients.listener(home / "empty") as empty:
        say(f"connected after {large.connected:.2f} s, the empty one after {empty.connected:.2f} s")
        seconds, slowest = await slowest_while_pruned(large, path, events)
        say(f"a day of {events // DAYS:,} events left within {seconds:.0f} s, slowest ack {slowest * 1e3:.0f} ms")
        rates: dict[str, list[float]] = {"large": [], "empty": []}
        acks: dict[str, list[float]] = {"large": [], "empty": []}
        for _ in range(ROUNDS):
            for name, client in (("large", large), ("empty", empty)):
                flood = await client.flood(FLOOD, 64)
                rates[name].append(flood.rate)
                acks[name] += flood.result.latencies
        for name, found in rates.items():
            p99 = percentile(acks[name], 99) * 1e3
            say(f"{name}: {median(found):,.0f}/s at 64 unacked, ack p99 {p99:.1f} ms")
        say(f"memory: {large.process.resident:.0f} MiB, the empty one {empty.process.resident:.0f} MiB")


def say(line: str) -> None:
    print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--directory", type=Path, default=Path(), help="on the disk to measure; default: here")
    given = parser.parse_args()
    os.sched_setaffinity(0, {STAND_IN_CORE})
    logs.configure("warning")
    with tempfile.TemporaryDirectory(prefix="bench-", dir=given.directory) as home:
        asyncio.run(measure(Path(home).resolve(), given.events))


if __name__ == "__main__":
    main()
