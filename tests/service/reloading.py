"""Sinks that come and go with many reloads while events arrive: `python -m tests.service.reloading HOME TIMES [SEED]`.

Prints what is missing, doubled or moved aside at the end, as JSON. Runs on a disk of any speed; see slow_sync.c.
"""

import asyncio
import json
import random
import sys
from collections import Counter
from pathlib import Path

from listener.delivery.worker import Worker
from listener.delivery.workers import Workers
from listener.journal import Journal
from listener.sinks.base import SinkConfig
from listener.sinks.file import FileConfig
from tests.journal.keeping import opened, payload, pending

NAMES = ("a", "b", "c")
PAUSE = 0.2  # seconds now and then, in which the sinks get on


def _config(home: Path, name: str, form: str) -> SinkConfig:
    return FileConfig(name=name, path=home / f"{name}.jsonl", start="earliest", format=form)  # type: ignore[arg-type]


def _ids(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [record.get("event_id") or record["header"]["event_id"] for record in map(json.loads, lines)]


async def reload(journal: Journal, home: Path, times: int, seed: int) -> None:
    """Until every sink has as many lines as events came, or a minute has passed since the last reload."""
    loop, draw = asyncio.get_running_loop(), random.Random(seed)

    def on_end(worker: Worker) -> None:
        loop.call_soon_threadsafe(running.left, worker)

    running = Workers(journal, on_end)
    running.start([_config(home, name, "record") for name in NAMES])
    for count in range(times):
        journal.append(pending(payload(f"e{count}")))
        here = [name for name in NAMES if draw.random() < 0.7]
        await running.change([_config(home, name, draw.choice(["record", "raw"])) for name in here])
        if draw.random() < 0.1:
            await asyncio.sleep(PAUSE)
    await running.change([_config(home, name, "record") for name in NAMES])
    for _ in range(300):
        if all(len(_ids(home / f"{name}.jsonl")) >= times for name in NAMES):
            break
        await asyncio.sleep(PAUSE)
    assert [] == await running.drain(30)


def main(home: Path, times: int, seed: int) -> None:
    """Runs it, and prints the balance."""
    with opened(home / "j.db", keep_s=3600.0) as journal:
        asyncio.run(reload(journal, home, times, seed))
    wanted = Counter(f"e{count}" for count in range(times))
    found = {name: Counter(_ids(home / f"{name}.jsonl")) for name in NAMES}
    balance = {
        "missing": {name: sum((wanted - one).values()) for name, one in found.items()},
        "twice": {name: sum((one - wanted).values()) for name, one in found.items()},
        "in_order": all(_ids(home / f"{name}.jsonl") == list(wanted) for name in NAMES),
        "aside": sorted(path.name for path in home.glob("*.torn")),
    }
    print(json.dumps(balance))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1)
