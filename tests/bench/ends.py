"""What the sinks to databases and brokers take: events a second, and how long one is on its way.

    python -m tests.bench.ends postgresql --events 100000

Two figures: the worker with its sink, which finds all events in the journal (its process pinned to one core, the server
on the other), and one event at a time, from its commit in the journal to the other end's answer.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from listener.journal import Journal
from tests.engines.ends import ENDS, End
from tests.engines.working import drained, worker_of
from tests.journal.keeping import opened, until
from tests.network.sending import fill

SINGLES = 200  # events whose delay is measured one by one


def rate(end: End, journal: Journal, **settings: int) -> tuple[float, float]:
    """(events a second, share of a core that this process used) for all that is in the journal."""
    worker = worker_of(journal, end.sink(name="all", **settings))
    began, cpu = time.monotonic(), time.process_time()
    worker.start()
    drained(worker, 600)
    seconds, used = time.monotonic() - began, time.process_time() - cpu
    worker.abandon()
    assert worker.join(20)
    return journal.last_seq / seconds, used / seconds


def delays(end: End, journal: Journal) -> list[float]:
    """Milliseconds for each of some events that come one by one."""
    worker = worker_of(journal, end.sink(name="single", max_events=1))
    worker.start()
    found = []
    for n in range(SINGLES):
        (event_id,) = fill(journal, 1, 1, first=10**7 + n)
        began = time.monotonic()
        until(lambda: worker.state.seq >= journal.last_seq, event_id)
        found.append((time.monotonic() - began) * 1000)
    worker.abandon()
    assert worker.join(20)
    return found


@contextmanager
def one_core_each(end: End) -> Iterator[None]:
    """This process on the first core, the server and its children on the last one."""
    cores = sorted(os.sched_getaffinity(0))
    end.server.pin(cores[-1])
    os.sched_setaffinity(0, {cores[0]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, set(cores))


def measure(kind: str, events: int, shared: bool) -> None:
    with tempfile.TemporaryDirectory() as home, ENDS[kind]() as end:
        with opened(Path(home) / "j.db", max_size=2**32) as journal, opened(Path(home) / "k.db") as other:
            fill(journal, events, max(1, events // 20))
            with one_core_each(end):
                if shared:
                    end.server.pin(min(os.sched_getaffinity(0)))
                per_second, used = rate(end, journal)
                assert set(end.found()) == {f"e{n}" for n in range(events)}
                each = sorted(delays(end, other))
        middle, late = statistics.median(each), each[len(each) * 99 // 100]
        cores = "one core for both" if shared else "a core each"
        sys.stdout.write(
            f"{kind}, {cores}: {events} events at {per_second:,.0f}/s, {used:.0%} of a core here;"
            f" one by one p50 {middle:.1f} ms, p99 {late:.1f} ms\n"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", default=list(ENDS))
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--shared", action="store_true", help="the server on the daemon's core")
    given = parser.parse_args()
    for kind in given.kinds:
        measure(kind, given.events, given.shared)


if __name__ == "__main__":
    main()
