"""Three daemons of one app into one JetStream, a random one killed every second: each acked event stands there once.

    python -m tests.engines.three --events 20000 --seconds 60

Each has its own journal. The stand-in pushes each event to a random one of them, and again, to whichever is there,
where the ack did not come.
"""

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from listener.simulator import PlatformThread
from listener.simulator.flood import default_payload
from tests.daemon import Daemon
from tests.engines.ends import NatsEnd
from tests.journal.keeping import until

TICKET, TICKETS = b"6626871355780366331", 200
STANDSTILL = 60.0  # seconds without anything new in the stream


@dataclass
class Figures:
    """What `run` found; `missing` and `twice` count acked events in the stream."""

    kills: int = 0
    acked: int = 0
    bounced: int = 0
    given_up: int = 0
    missing: int = 0
    twice: int = 0

    @property
    def good(self) -> bool:
        return self.acked > 0 and self.kills > 0 and not any((self.given_up, self.missing, self.twice))


def payload(index: int) -> bytes:
    """An event of one of many tickets."""
    return default_payload(index).replace(TICKET, b"%d" % (10**18 + index % TICKETS))


class Three:
    """Their homes, and which of them run."""

    def __init__(self, home: Path, stand_in: PlatformThread, end: NatsEnd, seed: int) -> None:
        self.stand_in, self.end, self.random = stand_in, end, random.Random(seed)
        self.homes = [home / name for name in ("one", "two", "three")]
        self.daemons: list[Daemon] = []
        self.figures = Figures()
        self.is_over = threading.Event()

    def run(self, events: int, seconds: float) -> Figures:
        self.start()
        killer = threading.Thread(target=self.kill_until_over, args=(seconds,))
        try:
            killer.start()
            self.push(events, seconds)
            self.is_over.set()
            killer.join()
            for daemon in self.daemons:
                daemon.ready(within=60)
            self.wait_for_all()
            assert [0, 0, 0] == [daemon.stop(30) for daemon in self.daemons]
        finally:
            self.is_over.set()
            killer.join()
            for daemon in self.daemons:
                daemon.__exit__()
        return self.counted()

    def start(self) -> None:
        for home in self.homes:
            home.mkdir()
            self.daemons.append(self.new_daemon(home))
        for daemon in self.daemons:
            daemon.ready(within=60)

    def new_daemon(self, home: Path) -> Daemon:
        return Daemon(home, domain=self.stand_in.url, config=self.end.config).__enter__()

    def kill_until_over(self, seconds: float) -> None:
        """One a second, for so long; on a slow machine the events take longer."""
        until_then = time.monotonic() + seconds
        while not self.is_over.wait(1.0) and time.monotonic() < until_then:
            n = self.random.randrange(len(self.daemons))
            self.daemons[n].__exit__()
            self.daemons[n] = self.new_daemon(self.homes[n])
            self.figures.kills += 1

    def push(self, events: int, seconds: float) -> None:
        """Spreads the events over so many seconds."""
        step = max(1, int(events / seconds))
        for first in range(0, events, step):
            began, count = time.monotonic(), min(step, events - first)
            until(lambda: self.stand_in.platform.connections, "one of them is connected", 120)
            result = self.stand_in.call(
                self.stand_in.platform.flood, count, 64, lambda n, first=first: payload(first + n), wait=120.0
            )
            self.figures.acked += result.count
            self.figures.bounced += result.bounced
            self.figures.given_up += len(result.given_up)
            time.sleep(max(0.0, 1.0 - (time.monotonic() - began)))

    def wait_for_all(self) -> None:
        known, deadline = 0, time.monotonic() + STANDSTILL
        while known < self.figures.acked and time.monotonic() < deadline:
            if (now := self.end.count()) > known:
                known, deadline = now, time.monotonic() + STANDSTILL
            time.sleep(0.5)

    def counted(self) -> Figures:
        found = Counter(self.end.found())
        self.figures.missing = len({f"{n:032x}" for n in range(self.figures.acked)} - found.keys())
        self.figures.twice = sum(found.values()) - len(found)
        return self.figures


def run(home: Path, events: int, seconds: float, seed: int) -> Figures:
    with PlatformThread(schedule=(0.2,) * 500) as stand_in, NatsEnd() as end:
        return Three(home, stand_in, end, seed).run(events, seconds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    given = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as home:
        figures = run(Path(home), given.events, given.seconds, given.seed)
    sys.stdout.write(f"seed {given.seed}: {figures}; {time.monotonic() - began:.0f} s in all\n")
    return 0 if figures.good else 1


if __name__ == "__main__":
    sys.exit(main())
