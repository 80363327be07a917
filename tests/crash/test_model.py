"""The whole way of an event against a model of plain Python, with crashes at every step (hypothesis state machine).

The model: what was acked is in the file once, whole, in order, and once more for each replay; what was not acked by the
time of a crash may be there once, or not. What a full journal or a failing disk refuses is not there, and is taken once
the sink has got the rest.
"""

import json
import time
from collections import Counter
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest
import structlog
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from listener.journal import Pending
from listener.sinks.rotation import Rotate
from tests.crash.life import Bomb, Crash, Life, all_lines, journalled, known, patched, quick_disk
from tests.journal.keeping import payload, unformattable

FUSE = st.integers(0, 12)
IDS = st.lists(st.integers(0, 12), min_size=1, max_size=5)
PART = st.one_of(st.none(), st.floats(0, 1))


def _drop(*_: object) -> str:
    raise structlog.DropEvent


def content(number: int) -> bytes | Pending:
    """Event 11 has no record, 12 has not even an id."""
    if number == 12:
        return b"hello"
    if number == 11:
        return unformattable("e11")
    return payload(f"e{number}", text=f"消息 {number} " * (number + 1))


class Machine(RuleBasedStateMachine):
    rotate: Rotate | None = None
    max_size = 1 << 30

    def __init__(self) -> None:
        super().__init__()
        structlog.configure(processors=[_drop])
        self.disk = ExitStack()
        self.home = self.disk.enter_context(quick_disk())
        self.bomb = Bomb()
        self.patch = patched(self.bomb)
        self.ahead, real = 0, time.time_ns
        self.patch.setattr(time, "time_ns", lambda: real() + self.ahead)
        self.acked: set[str] = set()
        self.seqs: dict[str, int] = {}  # of all that was ever journalled
        self.replays: Counter[str] = Counter()
        self.lost_power = False
        self.life = Life(self.home, 1, self.bomb, self.rotate, self.max_size)
        self.life.worker.open()

    # What happens

    @rule(numbers=IDS)
    def receive(self, numbers: list[int]) -> None:
        codes = self.life.receive([content(n) for n in numbers])
        if 500 in {code for code, _ in codes}:
            assert self.life.journal.retention.is_full
            self.acked |= {f"e{n}" for n, (code, _) in zip(numbers, codes, strict=True) if code == 200 and n != 12}
            self.life.drain()
            codes = self.life.receive([content(n) for n in numbers])
        assert {200} == {code for code, _ in codes}
        fresh = [not duplicate for n, (_, duplicate) in zip(numbers, codes, strict=True) if n != 12]
        known = [f"e{n}" for n in numbers if n != 12]
        assert not [one for one, new in zip(known, fresh, strict=True) if new and one in self.acked]
        self.acked |= set(known)

    @rule(numbers=IDS)
    def receive_while_no_commit_works(self, numbers: list[int]) -> None:
        """Everything is refused, and forgotten."""
        self.bomb.refuses = True
        codes = self.life.receive([content(n) for n in numbers])
        self.bomb.refuses = False
        assert {500} == {code for code, _ in codes}

    @rule()
    def reload(self) -> None:
        self.life.reload()

    @rule()
    def deliver(self) -> None:
        self.life.worker.turn()

    @rule()
    def keep_cursors(self) -> None:
        self.life.journal.writer.turn()

    @rule()
    def replay(self) -> None:
        self.replays += self.life.order_replay()
        del self.replays["e11"]

    @rule(hours=st.floats(-1, 2))
    def time_passes(self, hours: float) -> None:
        if self.ahead + hours * 3.6e12 < 20 * 3.6e12:  # longer than a day, and ids may be forgotten
            self.ahead += int(hours * 3.6e12)
        self.life.prune()

    @rule()
    def rename(self) -> None:
        path = self.home / "logs" / "out.jsonl"
        if path.exists():
            path.rename(path.with_name(f"out.jsonl.{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"))

    @rule()
    def restart(self) -> None:
        self.life.end()
        self.live()

    # Crashes

    @rule(numbers=IDS, fuse=FUSE, torn=PART, power=PART)
    def crash_while_receiving(self, numbers: list[int], fuse: int, torn: float | None, power: float | None) -> None:
        self.crash_in(fuse, lambda: self.receive(numbers), torn, power)

    @rule(fuse=FUSE, power=PART)
    def crash_while_delivering(self, fuse: int, power: float | None) -> None:
        self.crash_in(fuse, self.deliver, None, power)

    @rule(fuse=FUSE)
    def crash_while_pruning(self, fuse: int) -> None:
        self.crash_in(fuse, lambda: self.time_passes(1.5), None, None)

    @rule(fuse=FUSE, power=PART)
    def crash_while_starting(self, fuse: int, power: float | None) -> None:
        self.life.crash()
        self.life = Life(self.home, self.life.number + 1, self.bomb, self.rotate, self.max_size)
        self.crash_in(fuse, self.life.worker.open, None, power)

    @rule(numbers=IDS, fuse=st.integers(0, 40), power=PART)
    def crash_while_replaying(self, numbers: list[int], fuse: int, power: float | None) -> None:
        """Orders and new events take turns."""
        self.life.drain()
        self.replay()
        self.receive(numbers)
        self.crash_in(fuse, self.life.drain, None, power)

    def crash_in(self, fuse: int, step: object, torn: float | None, power: float | None) -> None:
        self.life.about_to()
        self.bomb.left = fuse
        exploded = False
        try:
            step()  # type: ignore[operator]
        except Crash:
            exploded = True
        finally:
            self.bomb.left = None
        self.lost_power = self.lost_power or power is not None
        self.seqs |= self.life.seqs
        self.life.crash(torn if exploded else None, power)
        self.live()

    def live(self) -> None:
        number = self.life.number + (0 if (self.home / f"state-{self.life.number}").exists() else 1)
        self.life = Life(self.home, number, self.bomb, self.rotate, self.max_size)
        self.life.worker.open()

    # What must hold

    @invariant()
    def nothing_is_there_twice(self) -> None:
        self.seqs |= self.life.seqs | journalled(self.home)
        found = Counter(json.loads(line)["event_id"] for line in all_lines(self.home))
        assert not found - (Counter(dict.fromkeys(found, 1)) + self.replays)

    def teardown(self) -> None:
        try:
            self.life.drain()
            self.life.end()
            self.check()
        finally:
            self.patch.undo()
            structlog.reset_defaults()
            self.disk.close()

    def check(self) -> None:
        records = [json.loads(line) for line in all_lines(self.home)]  # a torn line is no JSON
        found = Counter(record["event_id"] for record in records)
        seqs = self.seqs | self.life.seqs
        assert self.acked == known(self.home, self.acked) <= seqs.keys()
        assert self.lost_power or not list(self.home.rglob("*.torn"))  # every line was known as the sink's own
        wanted = Counter(one for one in seqs if one != "e11")
        assert wanted + self.replays == found
        first = list(dict.fromkeys(record["event_id"] for record in records))
        assert sorted(first, key=seqs.__getitem__) == first
        assert all(record["seq"] == seqs[record["event_id"]] for record in records)
        assert all(
            record["event"] == json.loads(json.dumps(record["event"])) and record["event"]["text"].startswith("消息")
            for record in records
        )


class RotatingMachine(Machine):
    rotate = Rotate(size=2048)


class SmallMachine(Machine):
    max_size = 12_000  # bytes: a few events


LONG = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(1200)]
CHECKS = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


@pytest.mark.parametrize("machine", [Machine, RotatingMachine, SmallMachine])
@pytest.mark.parametrize("examples", [8, pytest.param(50, marks=pytest.mark.slow), pytest.param(500, marks=LONG)])
def test_model(machine: type[Machine], examples: int) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=examples, stateful_step_count=30, deadline=None, suppress_health_check=CHECKS),
    )


def test_a_file_that_an_earlier_start_made_and_did_not_sync_survives_a_power_loss() -> None:
    machine = Machine()
    machine.rename()
    machine.crash_while_starting(fuse=2, power=None)  # between the new file and the sync of its directory
    machine.receive([0])
    machine.crash_while_replaying([0], fuse=0, power=0.0)
    machine.nothing_is_there_twice()
    machine.teardown()
