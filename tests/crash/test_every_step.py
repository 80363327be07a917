"""A crash at every single thing that changes the disk, one after the other, on the whole way of some events."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from listener.sinks.rotation import Rotate
from tests.crash.life import Bomb, Crash, Life, all_lines, patched, quick_disk
from tests.journal.keeping import payload


def ordinary(life: Life, note: Callable[[str], None]) -> None:
    """Events come and are delivered, in some batches."""
    life.worker.open()
    for start in (0, 3):
        receive(life, note, range(start, start + 3))
        life.drain()
    life.end()


def replayed(life: Life, note: Callable[[str], None]) -> None:
    """A replay of several steps takes turns with new events."""
    life.worker.open()
    receive(life, note, range(5))
    life.drain()
    note("replay")
    life.order_replay()
    note("replayed")
    receive(life, note, range(5, 8))
    life.drain()
    life.end()


def renamed(life: Life, note: Callable[[str], None]) -> None:
    """As logrotate does it, with lines in the file that are not synced yet."""
    life.worker.open()
    for start in (0, 2, 4):
        receive(life, note, range(start, start + 2))
        life.drain()
        path = life.config.path
        path.rename(path.with_name(f"out.jsonl.{start}"))
    life.end()


def receive(life: Life, note: Callable[[str], None], numbers: range) -> None:
    life.receive([payload(f"e{n}") for n in numbers])
    for n in numbers:
        note(f"e{n}")


@pytest.mark.parametrize("power", [None, 0.0, pytest.param(0.7, marks=pytest.mark.slow)])
@pytest.mark.parametrize("rotate", [None, Rotate(size=2048)])
@pytest.mark.parametrize("scenario", [ordinary, replayed, renamed])
def test_at_every_step(scenario: Callable[..., None], rotate: Rotate | None, power: float | None) -> None:
    """With a power loss, that part of what was not synced is there, and zeros for the rest."""
    fuse = 0
    with quick_disk() as disk:
        while crashed(disk / str(fuse), scenario, rotate, fuse, power):
            fuse += 1
    assert fuse > 25


def crashed(home: Path, scenario: Callable[..., None], rotate: Rotate | None, fuse: int, power: float | None) -> bool:
    """Whether the fuse was short enough. Whatever happened, the next life makes it good."""
    home.mkdir()
    bomb, notes = Bomb(), list[str]()
    patch = patched(bomb)
    try:
        first = Life(home, 1, bomb, rotate)
        bomb.left = fuse
        exploded = explodes(first, scenario, notes, power)
        life = Life(home, 2 if exploded else 1, bomb, rotate)
        life.worker.open()
        life.drain()
        life.end()
    finally:
        patch.undo()
    check(home, set(notes), exploded, torn=power is not None)
    return exploded


def explodes(life: Life, scenario: Callable[..., None], notes: list[str], power: float | None) -> bool:
    try:
        scenario(life, notes.append)
    except Crash:
        life.bomb.left = None
        life.crash(power_loss=power)
        return True
    life.bomb.left = None
    return False


def check(home: Path, notes: set[str], exploded: bool, *, torn: bool) -> None:
    records = [json.loads(line)["event_id"] for line in all_lines(home)]
    found = Counter(records)
    acked = {note for note in notes if note.startswith("e")}
    old = {f"e{n}" for n in range(5)} if "replay" in notes else set[str]()
    times = {2} if "replayed" in notes else {1, 2}
    assert acked <= found.keys()
    assert all(count in (times if one in old else {1}) for one, count in found.items())
    assert sorted(found) == list(found)  # the first time each came, in order
    assert torn or not list(home.rglob("*.torn"))  # every line was known as the sink's own
    assert exploded or acked == {f"e{n}" for n in range(8 if old else 6)}
