"""How much of each is measured."""

from dataclasses import dataclass, field

WINDOWS = (1, 64, 1024)  # events pushed and not yet acked

Counts = dict[str, tuple[int, ...]]
"""Events of a flood by client, for each of WINDOWS."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """`rounds` of floods in which the clients take turns, `repeats` where only listeners run, `starts` of a program."""

    rounds: int
    repeats: int
    starts: int
    counts: Counts
    journals: tuple[int, ...] = (0, 100_000, 1_000_000)  # events that are there before
    sinks: tuple[int, ...] = (1, 3, 10)
    flood: int = 16_000  # events where only the listener runs
    delays: dict[int, int] = field(default_factory=lambda: {1: 1000, 64: 6000})  # events by window
    burst: int = 20_000  # events at once
    warm_up: int = 1000
    idle: float = 60.0  # seconds
    syncs: int = 200


FULL = Plan(
    rounds=6,
    repeats=4,
    starts=5,
    counts={
        "sample": (300, 1000, 2000),
        "quiet": (300, 1000, 2000),
        "listener": (600, 10_000, 12_000),
        "null": (2000, 15_000, 30_000),
        "node": (600, 5000, 6000),
        "go": (1000, 10_000, 10_000),
    },
)
QUICK = Plan(
    rounds=3,
    repeats=2,
    starts=2,
    counts={
        "sample": (200, 500, 1200),
        "quiet": (200, 500, 1200),
        "listener": (300, 6000, 8000),
        "null": (1000, 15_000, 30_000),
        "node": (300, 3000, 4000),
        "go": (600, 6000, 6000),
    },
    journals=(0, 100_000),
    sinks=(1, 10),
    flood=5000,
    delays={1: 300, 64: 3000},
    idle=10.0,
)
TINY = Plan(
    rounds=1,
    repeats=1,
    starts=1,
    counts={
        "sample": (20, 100, 100),
        "quiet": (20, 100, 100),
        "listener": (50, 200, 1100),
        "null": (100, 1000, 2000),
        "node": (20, 100, 100),
        "go": (20, 100, 100),
    },
    journals=(0, 2000),
    sinks=(1, 2),
    flood=1100,
    delays={1: 20, 64: 100},
    burst=500,
    idle=1.0,
    warm_up=100,
    syncs=10,
)
PLANS = {"full": FULL, "quick": QUICK, "tiny": TINY}
