"""The figures as a table, ratios first, each beside its limit."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Figures = dict[str, Any]
SYNC_COST = "5 ms"
_OTHERS = ("sample", "quiet", "node", "go", "null")
_RATIOS = ("ratio", "ratio_to_node", "ratio_to_null")


@dataclass(frozen=True)
class Limit:
    """What must hold: `figure` is at least (or at most) `bound`."""

    name: str
    figure: float
    bound: float
    at_least: bool = True
    unit: str = ""

    @property
    def holds(self) -> bool:
        return self.figure >= self.bound if self.at_least else self.figure <= self.bound

    def __str__(self) -> str:
        mark, sign = "ok" if self.holds else "NO", "≥" if self.at_least else "≤"
        return f"  {mark}  {self.name:58}{_number(self.figure):>9} {self.unit:4} {sign} {_number(self.bound)}"


def limits(figures: Figures) -> list[Limit]:
    """Of what was measured."""
    return [limit for of in _LIMITS for limit in of(figures)]


def _throughput(figures: Figures) -> Iterator[Limit]:
    for window, *bounds in (("64", 18, 2.2, 0.6), ("1024", 20, 3, 0.75)):
        part = figures["rates"]["unacked"][window]
        for name, key, bound in zip(("sample", "node", "null client"), _RATIOS, bounds, strict=True):
            if key in part:
                yield Limit(f"throughput to the {name}'s, {window} unacked", part[key], bound)
    for window, part in figures["rates"]["unacked"].items():
        spare = part["null"]["rate"] / part["listener"]["rate"]
        yield Limit(f"null client to the listener, {window} unacked (else the stand-in limits)", spare, 2)


def _latency(figures: Figures) -> Iterator[Limit]:
    part, sync = figures["rates"]["unacked"]["1"], figures["rates"]["sync"]["p50_us"] / 1e3
    ours, theirs = (part[name]["ack"]["p50_ms"] for name in ("listener", "sample"))
    yield Limit("ack p50 less the bare sync to the sample's, 1 unacked", (ours - sync) / theirs, 1, at_least=False)
    yield Limit("ack p50 with the sync to the sample's, 1 unacked", ours / theirs, 0.5, at_least=False)
    line = figures["end_to_end"]["1"]["p50_ms"]
    yield Limit("push to line, p50, to the ack's, 1 unacked", line / ours, 1.5, at_least=False)


def _starts(figures: Figures) -> Iterator[Limit]:
    part = figures["starts"]
    ratio = part["listener"]["connected_s"] / part["sample"]["connected_s"]
    yield Limit("exec to connected, to the sample's", ratio, 0.25, at_least=False)
    ratio = figures["help"]["listener_s"] / figures["help"]["two_commands_s"]
    yield Limit("--help to a typer app of two empty commands", ratio, 2, at_least=False)


def _memory(figures: Figures) -> Iterator[Limit]:
    yield Limit("memory, idle", figures["starts"]["listener"]["idle_mib"], 46, at_least=False, unit="MiB")
    yield Limit("memory, peak of the runs", figures["rates"]["peak_mib"]["listener"], 58, at_least=False, unit="MiB")
    events = figures["burst"]["events"]
    peak = figures["burst"]["peak_mib"]
    yield Limit(f"memory, peak of {events:,} events at once", peak, 150, at_least=False, unit="MiB")


def _idle(figures: Figures) -> Iterator[Limit]:
    yield Limit("idle: CPU", figures["idle"]["cpu_percent"], 0.3, at_least=False, unit="%")
    yield Limit("idle: waits of threads a second", figures["idle"]["wake_ups"], 2, at_least=False)


def _scale(figures: Figures) -> Iterator[Limit]:
    for key, bound, what in (("journals", 0.65, "events in the journal"), ("sinks", 1 / 3, "sinks")):
        first, *_, last = figures[key]
        for window, rate in figures[key][last].items():
            name = f"throughput with {int(last):,} {what} to {first}, {window} unacked"
            yield Limit(name, rate / figures[key][first][window], bound)
    yield Limit(f"with a sync of {SYNC_COST}, 1024 unacked", figures["slow_sync"]["1024"], 10_000, unit="/s")


_LIMITS: tuple[Callable[[Figures], Iterator[Limit]], ...] = (
    _throughput,
    _latency,
    _starts,
    _memory,
    _idle,
    _scale,
)


def table(figures: Figures) -> str:
    """For people."""
    return "\n".join(line for of in (_head, _all_limits, _clients, _delays, _others) for line in of(figures))


def _head(figures: Figures) -> Iterator[str]:
    machine, sync = figures["machine"], figures["rates"]["sync"]
    yield f"{machine['cpu']}, {machine['cores']} cores, Python {machine['python']}, lark-oapi {machine['lark_oapi']}"
    yield f"client on core {machine['client_core']}, stand-in on core {machine['stand_in_core']}"
    yield f"the disk's own sync: p50 {sync['p50_us']:.0f} µs, p99 {sync['p99_us']:.0f} µs"


def _all_limits(figures: Figures) -> Iterator[str]:
    yield "\nratios and limits"
    yield from map(str, limits(figures))


def _clients(figures: Figures) -> Iterator[str]:
    yield f"\n{'unacked':>8} {'client':10}{'events/s':>10}{'acked/s':>10}{'ack p50':>12}{'p99':>12}{'CPU/event':>12}"
    for name, option in (("Node", "--node DIR"), ("Go", "--go PROGRAM")):
        if name.lower() not in figures["rates"]["unacked"]["1"]:
            yield f"{'':8} {name}'s official client was left out: {option}"
    for window, part in figures["rates"]["unacked"].items():
        for name in (name for name in ("listener", *_OTHERS) if name in part):
            one = part[name]
            ack = f"{one['ack']['p50_ms']:>9.2f} ms{one['ack']['p99_ms']:>9.2f} ms"
            yield f"{window:>8} {name:10}{one['rate']:>10.0f}{one['acked_rate']:>10.0f}{ack}{one['cpu_us']:>9.0f} µs"
        others = [f"{name}'s {part[f'ratio_to_{name}']:.1f}" for name in ("quiet", "go") if name in part]
        yield f"{'':8} the listener's rate to {', '.join(others)}"
    starts, peaks = figures["starts"], figures["rates"]["peak_mib"]
    yield f"\n{'':8} {'client':10}{'connected':>12}{'idle':>10}{'peak':>10}"
    for name, one in starts.items():
        yield f"{'':8} {name:10}{one['connected_s']:>10.2f} s{one['idle_mib']:>6.0f} MiB{peaks[name]:>6.0f} MiB"


def _delays(figures: Figures) -> Iterator[str]:
    yield "\npushed → line in the listener's file"
    for window, one in figures["end_to_end"].items():
        yield f"{window:>8} unacked  p50 {one['p50_ms']:.2f} ms, p99 {one['p99_ms']:.2f} ms"


def _others(figures: Figures) -> Iterator[str]:
    yield "\nthe listener's events/s"
    for key, what in (("journals", "events in the journal"), ("sinks", "file sinks")):
        for count, rates in figures[key].items():
            yield f"{int(count):>10,} {what:24}" + _by_window(rates)
    yield f"{SYNC_COST:>10} {'a sync (injected)':24}" + _by_window(figures["slow_sync"])


def _by_window(rates: dict[str, float]) -> str:
    return ", ".join(f"{rate:>8.0f} at {window} unacked" for window, rate in rates.items())


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
