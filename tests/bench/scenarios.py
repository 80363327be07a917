"""What is measured. Each scenario returns its part of the JSON; whoever is compared takes turns, on one core."""

import asyncio
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from tests.bench import clients
from tests.bench.clients import Client, Flood
from tests.bench.delay import delays
from tests.bench.journals import fill
from tests.bench.machine import median, percentile, sync_times, timed
from tests.bench.plan import WINDOWS, Plan
from tests.daemon import environment

Part = dict[str, Any]
HELP = 20.0  # seconds
SETTLED = 10.0  # seconds; the journal was checked by then
IDLE = 1.0  # seconds until a client that was just connected counts as idle
STARTS = {"listener": clients.listener, "sample": clients.sample}


async def starts(home: Path, plan: Plan) -> Part:
    """Seconds from exec to connected, and MiB of one that idles. The first start of each fills the caches."""
    seconds: dict[str, list[float]] = {name: [] for name in STARTS}
    idle: dict[str, float] = {}
    for number in range(plan.starts + 1):
        for name, start in STARTS.items():
            async with start(home / f"{name}-{number}") as client:
                if number:
                    seconds[name].append(client.connected)
                    continue
                await asyncio.sleep(IDLE)
                idle[name] = client.process.resident
    return {name: {"connected_s": median(seconds[name]), "idle_mib": idle[name]} for name in STARTS}


async def rates(home: Path, plan: Plan) -> Part:
    """Listener, sample (as it is, and quiet) and null client beside each other, at each number of unacked events."""
    floods: dict[tuple[str, int], list[Flood]] = {}
    syncs: list[float] = []
    async with AsyncExitStack() as stack:
        everyone = [
            await stack.enter_async_context(start(home / start.__name__))
            for start in (clients.sample, clients.listener, clients.quiet, clients.null, *peers())
        ]
        for client in everyone:
            await client.flood(plan.counts[client.name][0], 64)
        for number in range(plan.rounds):
            syncs += sync_times(home, plan.syncs)
            for index, window in enumerate(WINDOWS):
                for client in _rotated(everyone, number):  # nobody is always first
                    flood = await client.flood(plan.counts[client.name][index], window)
                    floods.setdefault((client.name, window), []).append(flood)
        peaks = {client.name: client.process.peak for client in everyone}
    measured: dict[str, Part] = {str(w): {c.name: _summary(floods[c.name, w]) for c in everyone} for w in WINDOWS}
    for part in measured.values():
        part["ratio"] = _ratio(part["listener"]["rates"], part["sample"]["rates"])
        for other in ("quiet", "node", "go", "null"):
            if other in part:
                part[f"ratio_to_{other}"] = _ratio(part["listener"]["rates"], part[other]["rates"])
    sync = {"p50_us": percentile(syncs, 50) * 1e6, "p99_us": percentile(syncs, 99) * 1e6}
    return {"unacked": measured, "sync": sync, "peak_mib": peaks}


def peers() -> list[Callable[[Path], clients.Running]]:
    """Official clients in other languages, as far as they are here."""
    return [*[clients.node] * bool(clients.node_sdk), *[clients.go] * bool(clients.go_client)]


async def idle(home: Path, plan: Plan) -> Part:
    """What a connected listener costs to which nothing comes."""
    async with clients.listener(home / "idle") as client:
        await asyncio.sleep(min(SETTLED, plan.idle))
        cpu, wake_ups = client.process.cpu, client.process.wake_ups
        await asyncio.sleep(plan.idle)
        return {
            "seconds": plan.idle,
            "cpu_percent": (client.process.cpu - cpu) / plan.idle * 100,
            "wake_ups": (client.process.wake_ups - wake_ups) / plan.idle,
        }


async def burst(home: Path, plan: Plan) -> Part:
    """So many events at once, to a fresh listener; some may be refused for the deadline, and are pushed again."""
    async with clients.listener(home / "burst") as client:
        await client.flood(plan.warm_up, 64)
        before = client.process.peak
        flood = await client.flood(plan.burst, plan.burst)
        return {
            "events": plan.burst,
            "seconds": flood.seconds,
            "peak_before_mib": before,
            "peak_mib": client.process.peak,
            "idle_after_mib": client.process.resident,
        }


async def end_to_end(home: Path, plan: Plan) -> Part:
    """From the push to the line in the listener's file."""
    async with clients.listener(home / "delay") as client:
        await client.flood(plan.warm_up, 64)
        measured = {window: await delays(client, count, window) for window, count in plan.delays.items()}
    return {str(window): _percentiles(values) for window, values in measured.items()}


async def journals(home: Path, plan: Plan) -> Part:
    """Throughput with so many events in the journal."""
    for count in plan.journals:
        state = home / f"journal-{count}" / "state"
        state.mkdir(parents=True)
        await asyncio.to_thread(fill, state / "helpdesk.db", count)
    return await _compared(
        {count: clients.listener(home / f"journal-{count}", seq=count) for count in plan.journals}, plan, WINDOWS[1:]
    )


async def sinks(home: Path, plan: Plan) -> Part:
    """Throughput with so many file sinks, each with all events."""
    return await _compared(
        {count: clients.listener(home / f"sinks-{count}", sinks=count) for count in plan.sinks}, plan, WINDOWS[1:]
    )


async def slow_sync(home: Path, plan: Plan) -> Part:
    """Throughput where each sync costs 5 ms; injected by tests/bench/slow_sync.py."""
    async with clients.listener(home / "slow", module="tests.bench.slow_sync") as client:
        return await _alone(client, plan, WINDOWS[2:])


async def help_text(home: Path, plan: Plan) -> Part:
    """Seconds of `helpdesk-listen --help`, beside a typer app with two empty commands."""
    commands = {
        "listener": [sys.executable, "-m", "listener", "--help"],
        "two_commands": [sys.executable, "-m", "tests.bench.two_commands", "--help"],
    }
    took: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(2 * plan.starts + 1):
        for name, command in commands.items():
            took[name].append(await timed(command, environment(home), HELP))
    return {f"{name}_s": median(values[1:] or values) for name, values in took.items()}


async def _compared(starting: dict[int, clients.Running], plan: Plan, windows: Sequence[int]) -> Part:
    """Each listener's rate by window; they run side by side and are flooded in turns."""
    floods: dict[tuple[int, int], list[float]] = {}
    async with AsyncExitStack() as stack:
        running = {key: await stack.enter_async_context(start) for key, start in starting.items()}
        for client in running.values():
            await client.flood(plan.warm_up, 64)
        for _ in range(plan.repeats):
            for window in windows:
                for key, client in running.items():
                    floods.setdefault((key, window), []).append((await client.flood(plan.flood, window)).rate)
    return {str(key): {str(window): median(floods[key, window]) for window in windows} for key in running}


async def _alone(client: Client, plan: Plan, windows: Sequence[int]) -> Part:
    await client.flood(plan.warm_up, 64)
    floods = {window: [await client.flood(plan.flood, window) for _ in range(plan.repeats)] for window in windows}
    return {str(window): median([flood.rate for flood in done]) for window, done in floods.items()}


def _rotated(clients: list[Client], by: int) -> list[Client]:
    start = by % len(clients)
    return clients[start:] + clients[:start]


def _summary(floods: list[Flood]) -> Part:
    latencies = [latency for flood in floods for latency in flood.result.latencies]
    return {
        "rate": median([flood.rate for flood in floods]),
        "rates": [flood.rate for flood in floods],
        "acked_rate": median([flood.result.rate for flood in floods]),
        "cpu_us": median([flood.cpu_us for flood in floods]),
        "ack": _percentiles(latencies),
    }


def _percentiles(values: list[float]) -> Part:
    return {"p50_ms": percentile(values, 50) * 1e3, "p99_ms": percentile(values, 99) * 1e3}


def _ratio(ours: list[float], theirs: list[float]) -> float:
    """Round by round, so that what slows the machine down for a while slows both."""
    return median([our / their for our, their in zip(ours, theirs, strict=True)])
