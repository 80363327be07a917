"""kill -9 under load, round after round: what was acked is in every file once, whole, in order.

    python -m tests.crash.rounds --rounds 100

Three file sinks (plain, rotating, without fsync), the stand-in at full speed. Each round the daemon is killed at a
random moment of a flood, or of its own start, and started again; the stand-in pushes again what was not acked.
"""

import argparse
import gzip
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from listener.simulator import PlatformThread
from listener.simulator.flood import FloodResult, default_payload
from tests.daemon import Daemon

SINKS = {"plain": "", "rotating": 'rotate.size = "256KiB"\n', "unsynced": 'fsync = "never"\n'}
CONFIG = "".join(
    f'[[sinks]]\nname = "{name}"\ntype = "file"\npath = "{name}.jsonl"\n{more}\n' for name, more in SINKS.items()
)
UNACKED = 64  # events in flight
FLOOD = (500, 3000)  # events a round
IN_THE_START = 0.2  # of the kills


@dataclass
class Figures:
    """What `run` found. `missing` and `twice` are lines of acked events in any of the files, summed."""

    rounds: int = 0
    acked: int = 0
    bounced: int = 0
    given_up: int = 0
    missing: int = 0
    twice: int = 0
    torn: int = 0
    out_of_order: int = 0
    not_opened: int = 0
    moved_aside: int = 0  # files *.torn or *.damaged*
    starts: list[float] = field(default_factory=list, repr=False)  # seconds to `ready`

    def __str__(self) -> str:
        starts = sorted(self.starts)
        return (
            f"{self.rounds} rounds, {self.acked} events acked, {self.bounced} pushed again, {self.given_up} given up; "
            f"missing {self.missing}, twice {self.twice}, torn {self.torn}, out of order {self.out_of_order}, "
            f"not opened {self.not_opened}, moved aside {self.moved_aside}; "
            f"ready after {starts[len(starts) // 2]:.2f} s (median), {starts[-1]:.2f} s (longest)"
        )

    @property
    def good(self) -> bool:
        faults = (
            self.given_up,
            self.missing,
            self.twice,
            self.torn,
            self.out_of_order,
            self.not_opened,
            self.moved_aside,
        )
        return not any(faults) and self.acked > 0


class Rounds:
    """One home, many lives."""

    def __init__(self, home: Path, stand_in: PlatformThread, seed: int) -> None:
        self.home, self.stand_in, self.random = home, stand_in, random.Random(seed)
        self.figures = Figures()

    def run(self, rounds: int) -> Figures:
        for _ in range(rounds):
            self.round()
        with self._daemon() as daemon:
            self._ready(daemon)
            assert daemon.stop() == 0
        self._check()
        return self.figures

    def round(self) -> None:
        """A flood, a kill in the middle of it, and another life that finishes it."""
        flood = Flood(self.stand_in, self.figures.acked, self.random.randint(*FLOOD))
        if self.random.random() < IN_THE_START:
            flood.start()
            with self._daemon() as daemon:
                time.sleep(self.random.uniform(0.0, 0.8))
                daemon.kill()
        else:
            with self._daemon() as daemon:
                self._ready(daemon)
                flood.start()
                time.sleep(self.random.expovariate(1 / 0.15))
                daemon.kill()
        with self._daemon() as daemon:
            self._ready(daemon)
            result = flood.wait()
            time.sleep(self.random.choice((0.0, 0.0, 0.3)))
            daemon.kill()
        self.figures.rounds += 1
        self.figures.acked += result.count
        self.figures.bounced += result.bounced
        self.figures.given_up += len(result.given_up)

    def _daemon(self) -> Daemon:
        return Daemon(self.home, domain=self.stand_in.url, config=CONFIG)

    def _ready(self, daemon: Daemon) -> None:
        try:
            daemon.ready()
        except AssertionError as e:
            self.figures.not_opened += 1
            sys.stderr.write(f"{e}\n")
        self.figures.starts.append(time.monotonic() - daemon.started)

    def _check(self) -> None:
        wanted = {f"{index:032x}" for index in range(self.figures.acked)}
        for name in SINKS:
            records = list(self._records(name))
            found = Counter(record["event_id"] for record in records)
            self.figures.missing += len(wanted - found.keys())
            self.figures.twice += sum(count - 1 for count in found.values())
            self.figures.out_of_order += sum(a["seq"] >= b["seq"] for a, b in pairwise(records))
        self.figures.moved_aside = sum(".torn" in p.name or ".damaged" in p.name for p in self.home.rglob("*"))

    def _records(self, name: str) -> Iterator[dict[str, Any]]:
        files = [p for p in (self.home / "logs").glob(f"{name}.jsonl*") if not p.name.endswith(".torn")]
        for file in sorted(files, key=lambda p: (p.name == f"{name}.jsonl", p.name)):
            content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
            for line in content.splitlines(keepends=True):
                try:
                    yield json.loads(line) if line.endswith(b"\n") else json.loads("torn")
                except ValueError:
                    self.figures.torn += 1


class Flood:
    """Events `first` and following, pushed in the background until all are acked."""

    def __init__(self, stand_in: PlatformThread, first: int, count: int) -> None:
        self._stand_in, self._first, self._count = stand_in, first, count
        self._result: list[FloodResult] = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wait(self) -> FloodResult:
        self._thread.join(60)
        assert self._result, "the flood is not over"
        return self._result[0]

    def _run(self) -> None:
        platform = self._stand_in.platform
        flood = self._stand_in.call(platform.flood, self._count, UNACKED, self._payload, wait=60.0)
        self._result.append(flood)

    def _payload(self, index: int) -> bytes:
        return default_payload(self._first + index)


def run(rounds: int, seed: int, home: Path) -> Figures:
    """`rounds` of them in `home`."""
    with PlatformThread(schedule=(0.2,) * 100) as stand_in:
        return Rounds(home, stand_in, seed).run(rounds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        began = time.monotonic()
        figures = run(arguments.rounds, arguments.seed, Path(home))
        sys.stdout.write(f"seed {arguments.seed}: {figures}; {time.monotonic() - began:.0f} s in all\n")
    return 0 if figures.good else 1


if __name__ == "__main__":
    sys.exit(main())
