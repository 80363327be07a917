"""kill -9 of the daemon and of its sink's server under load, in turns: what was acked is at the other end, once.

    python -m tests.engines.rounds postgresql --daemon-kills 50 --server-kills 20

A real daemon, the stand-in at full speed, a real server. In each round a flood begins, one of the two is killed at a
random moment of it and started again, and the stand-in pushes again what was not acked.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from listener.simulator import PlatformThread
from tests.crash.rounds import Flood
from tests.daemon import Daemon
from tests.engines.ends import ENDS, End

FLOOD = (200, 800)  # events a round
STANDSTILL = 60.0  # seconds without anything new at the other end


@dataclass
class Figures:
    """What `run` found; `missing` and `twice` count acked events at the other end, `strange` those that nobody sent.

    `may_repeat`: the sink promises each event at least once.
    """

    daemon_kills: int = 0
    server_kills: int = 0
    acked: int = 0
    bounced: int = 0
    given_up: int = 0
    missing: int = 0
    twice: int = 0
    strange: int = 0
    may_repeat: bool = False

    @property
    def good(self) -> bool:
        repeated = self.twice and not self.may_repeat
        return self.acked > 0 and not any((self.given_up, self.missing, repeated, self.strange))


class Rounds:
    """One home and one server, many lives of both."""

    def __init__(self, home: Path, stand_in: PlatformThread, end: End, seed: int) -> None:
        self.home, self.stand_in, self.end, self.random = home, stand_in, end, random.Random(seed)
        self.figures = Figures(may_repeat=not end.is_exactly_once)

    def run(self, daemon_kills: int, server_kills: int) -> Figures:
        victims = ["daemon"] * daemon_kills + ["server"] * server_kills
        self.random.shuffle(victims)
        with ExitStack() as lives:
            self._start(lives)
            for victim in victims:
                self.round(victim, lives)
            self._wait_for_all()
            assert self.daemon.stop(30) == 0, self.daemon.stderr[-5:]
        self._check()
        return self.figures

    def round(self, victim: str, lives: ExitStack) -> None:
        """A flood, and a kill in the midst of it."""
        flood = Flood(self.stand_in, self.figures.acked, self.random.randint(*FLOOD))
        flood.start()
        time.sleep(self.random.uniform(0.0, 0.4))
        if victim == "daemon":
            lives.close()
            self.figures.daemon_kills += 1
            self._start(lives)
        else:
            self.end.server.kill()
            self.figures.server_kills += 1
            time.sleep(self.random.choice((0.0, 0.3, 1.0)))
            self.end.server.start()
        result = flood.wait()
        self.figures.acked += result.count
        self.figures.bounced += result.bounced
        self.figures.given_up += len(result.given_up)

    def _start(self, lives: ExitStack) -> None:
        self.daemon = lives.enter_context(Daemon(self.home, domain=self.stand_in.url, config=self.end.config))
        self.daemon.ready(within=30)

    def _wait_for_all(self) -> None:
        """Returns once the other end has all that was acked, or nothing new comes to it."""
        known, deadline = 0, time.monotonic() + STANDSTILL
        while known < self.figures.acked and time.monotonic() < deadline:
            if (now := len(set(self.end.found()))) > known:
                known, deadline = now, time.monotonic() + STANDSTILL
            time.sleep(0.5)

    def _check(self) -> None:
        wanted, found = {f"{index:032x}" for index in range(self.figures.acked)}, Counter(self.end.found())
        self.figures.missing = len(wanted - found.keys())
        self.figures.strange = len(found.keys() - wanted)
        self.figures.twice = sum(count - 1 for count in found.values())


def run(kind: str, daemon_kills: int, server_kills: int, home: Path, seed: int) -> Figures:
    """A server that is not durable is never killed: what it has acknowledged would be gone."""
    with PlatformThread(schedule=(0.2,) * 100) as stand_in, ENDS[kind]() as end:
        return Rounds(home, stand_in, end, seed).run(daemon_kills, server_kills if end.is_durable else 0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=tuple(ENDS))
    parser.add_argument("--daemon-kills", type=int, default=50)
    parser.add_argument("--server-kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    given = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as home:
        figures = run(given.kind, given.daemon_kills, given.server_kills, Path(home), given.seed)
    sys.stdout.write(f"{given.kind}, seed {given.seed}: {figures}; {time.monotonic() - began:.0f} s in all\n")
    return 0 if figures.good else 1


if __name__ == "__main__":
    sys.exit(main())
