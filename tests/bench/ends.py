"""What the sinks to databases and brokers take: events a second, and how long one is on its way.

    python -m tests.bench.ends postgresql --events 100000

Three figures: the sink alone, given lines that are ready, in batches that share no ticket; its worker, which reads and
formats events that lie in the journal; and one event at a time, from its append to the journal until its position is
kept, which comes after the answer of the other end. This process is pinned to one core and the server to another, or
with --shared both to one. The processor time of an event is told of each: where a core each is full, a million by the
larger of the two is the rate that can be had.
"""

import argparse
import asyncio
import gc
import hashlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from queue import Queue

from listener.app.daemon import COLLECT_EVERY, SWITCH_INTERVAL
from listener.event import FORMATS
from listener.journal import Journal
from listener.sinks import new_network_sink
from listener.sinks.network import Batch, NetworkConfig, Outgoing
from listener.sinks.results import Delivered
from tests.engines.ends import ENDS, End
from tests.engines.server import Server
from tests.journal.keeping import keep, opened, payload, pending
from tests.network.sending import drained, worker_of
from tests.samples import encode, example, received, ticket

SINGLES = 200  # events whose delay is measured one by one
A_TICKET = 20  # events


@dataclass(frozen=True)
class Figure:
    """Events a second, and the microseconds of processor time that an event cost this process and the server."""

    rate: float
    ours: float
    servers: float

    def __str__(self) -> str:
        return f"{self.rate:,.0f}/s ({self.ours:.0f} µs an event here, {self.servers:.0f} there)"


@contextmanager
def figure(server: Server, events: int, found: list[Figure]) -> Iterator[None]:
    began, cpu, other = time.monotonic(), time.process_time(), server.cpu_seconds()
    yield
    seconds, used, others = time.monotonic() - began, time.process_time() - cpu, server.cpu_seconds() - other
    found.append(Figure(events / seconds, used / events * 1e6, others / events * 1e6))


def name_of(kind: str, n: int) -> str:
    """Returns an event id that is as random as the platform's, so that it lands anywhere in an index."""
    return hashlib.md5(f"{kind}{n}".encode(), usedforsecurity=False).hexdigest()


def batches_of(config: NetworkConfig, events: int) -> list[list[Batch]]:
    """For each of the requests under way the batches that it sends one after the other; a ticket is in one of them."""
    lanes: list[list[Outgoing]] = [[] for _ in range(config.in_flight)]
    for n in range(events):
        about = ticket(ticket_id=f"t{n // A_TICKET}")
        event = received(encode(example(name_of("a", n), ticket=about)), seq=n + 1)
        lanes[n // A_TICKET % len(lanes)].append(Outgoing(event, FORMATS["record"](event)))
    most = config.batch.max_events
    return [[Batch(lane[at : at + most]) for at in range(0, len(lane), most)] for lane in lanes]


async def alone(config: NetworkConfig, lanes: Sequence[Sequence[Batch]]) -> None:
    sink = new_network_sink(config)
    await sink.open()

    async def send(lane: Sequence[Batch]) -> None:
        for batch in lane:
            assert all(isinstance(one, Delivered) for one in await sink.deliver(batch))

    await asyncio.gather(*map(send, lanes))
    await sink.close()


def journalled(journal: Journal, events: int) -> None:
    """Events of as many tickets as in the batches, in turns."""
    tickets = max(1, events // A_TICKET)
    payloads = (payload(name_of("e", n), ticket=ticket(ticket_id=f"t{n % tickets}")) for n in range(events))
    while some := list(islice(payloads, 1000)):
        assert {200} == set(keep(journal, *some))


def with_its_worker(end: End, journal: Journal) -> None:
    worker = worker_of(journal, end.sink(name="all"))
    worker.start()
    drained(worker, 600)
    worker.abandon()
    assert worker.join(20)


def delays(end: End, journal: Journal) -> list[float]:
    """Milliseconds for each of some events that come one by one."""
    kept = Queue[float]()
    wanted = end.sink(name="single", max_events=1)
    worker = worker_of(journal, wanted, on_delivered=lambda lines: kept.put(time.monotonic()))
    worker.start()
    found = []
    for n in range(SINGLES):
        event = pending(payload(f"s{n}"))
        began = time.monotonic()
        journal.append(event)
        found.append((kept.get(timeout=30) - began) * 1000)
    worker.abandon()
    assert worker.join(20)
    return sorted(found)


def measure(kind: str, events: int, shared: bool) -> None:
    found: list[Figure] = []
    cores = sorted(os.sched_getaffinity(0))
    with (
        tempfile.TemporaryDirectory() as home,
        ENDS[kind]() as end,
        opened(Path(home) / "j.db", max_size=2**33) as journal,
    ):
        journalled(journal, events)
        lanes = batches_of(end.sink(), events)
        os.sched_setaffinity(0, {cores[0]})
        end.server.pin(cores[0] if shared else cores[-1])
        with figure(end.server, events, found):
            asyncio.run(alone(end.sink(), lanes))
        assert end.count() == events
        with figure(end.server, events, found):
            with_its_worker(end, journal)
        assert end.count() == 2 * events
        with opened(Path(home) / "k.db") as other:
            each = delays(end, other)
        os.sched_setaffinity(0, set(cores))
    sink, worker = found
    where = "one core for both" if shared else "a core each"
    sys.stdout.write(
        f"{kind}, {where}, {events} events: sink alone {sink}, with its worker {worker},"
        f" one by one p50 {statistics.median(each):.1f} ms, p99 {each[len(each) * 99 // 100]:.1f} ms\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", default=list(ENDS))
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--shared", action="store_true", help="the server on this process's core")
    given = parser.parse_args()
    sys.setswitchinterval(SWITCH_INTERVAL)  # as the daemon does
    gc.set_threshold(COLLECT_EVERY)
    gc.freeze()
    for kind in given.kinds:
        measure(kind, given.events, given.shared)


if __name__ == "__main__":
    main()
