"""The benchmark: `python -m tests.bench`. Under five minutes, with --quick under one.

The listener (durable file sink) beside the official SDK's own sample, on the same stand-in in the same run, in turns;
clients are pinned to one core, the stand-in to another.
"""

import argparse
import asyncio
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Collection
from importlib.metadata import version
from pathlib import Path
from typing import Any

from listener.base import logs
from tests.bench import clients, scenarios
from tests.bench.machine import CLIENT_CORE, CORES, STAND_IN_CORE
from tests.bench.plan import PLANS, Plan
from tests.bench.report import limits, table

SCENARIOS = {
    "starts": scenarios.starts,
    "help": scenarios.help_text,
    "rates": scenarios.rates,
    "end_to_end": scenarios.end_to_end,
    "idle": scenarios.idle,
    "burst": scenarios.burst,
    "sinks": scenarios.sinks,
    "slow_sync": scenarios.slow_sync,
    "journals": scenarios.journals,
}


def main() -> None:
    """Prints the table; the exit code is 0 whatever the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", dest="plan", action="store_const", const="quick", help="fewer rounds")
    parser.add_argument("--tiny", dest="plan", action="store_const", const="tiny", help="only to see that it works")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the figures there, too")
    parser.add_argument("--directory", type=Path, default=Path(), help="on the disk to measure; default: here")
    parser.add_argument("--node", type=Path, metavar="DIR", help="where `npm install @larksuiteoapi/node-sdk` was run")
    parser.add_argument("--go", type=Path, metavar="PROGRAM", help="what was built of tests/bench/go_client.go")
    parser.add_argument("--only", nargs="+", choices=SCENARIOS, default=list(SCENARIOS), help="some of it, as JSON")
    arguments = parser.parse_args()
    clients.node_sdk = arguments.node.resolve() if arguments.node else None
    clients.go_client = arguments.go.resolve() if arguments.go else None
    os.sched_setaffinity(0, {STAND_IN_CORE})
    logs.configure("warning")
    with tempfile.TemporaryDirectory(prefix="bench-", dir=arguments.directory) as home:
        figures = asyncio.run(measure(Path(home).resolve(), PLANS[arguments.plan or "full"], arguments.only))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(table(figures) if len(arguments.only) == len(SCENARIOS) else json.dumps(figures, indent=2))


async def measure(home: Path, plan: Plan, wanted: Collection[str]) -> dict[str, Any]:
    """The wanted scenarios, as the JSON has them; with all of them the limits, too."""
    figures: dict[str, Any] = {"machine": machine()}
    for name, scenario in ((name, scenario) for name, scenario in SCENARIOS.items() if name in wanted):
        started = time.monotonic()
        place = home / name
        place.mkdir()
        figures[name] = await scenario(place, plan)
        print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    if len(wanted) == len(SCENARIOS):
        figures["limits"] = [{"name": one.name, "figure": one.figure, "holds": one.holds} for one in limits(figures)]
    return figures


def machine() -> dict[str, Any]:
    names = (line.partition(": ")[2] for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line)
    return {
        "cpu": next(names, platform.machine()),
        "cores": len(CORES),
        "client_core": CLIENT_CORE,
        "stand_in_core": STAND_IN_CORE,
        "python": platform.python_version(),
        "lark_oapi": version("lark-oapi"),
    }


if __name__ == "__main__":
    main()
