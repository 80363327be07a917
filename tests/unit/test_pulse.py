"""What the watchdog hangs on, with the parts that must move replaced by ones that can be stopped."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from listener.facts import Facts
from listener.pulse import Pulse
from listener.status import Connection, Snapshot, moment
from listener.supervisor import ConnectionState


@dataclass
class Manager:
    """Stands in for systemd."""

    heard: list[str] = field(default_factory=list)
    watchdog: float | None = 0.02

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *status: self.heard.append(" ".join([name, *status]))


def _facts(state: ConnectionState, *, fresh: bool = True, answered: float = 0.0) -> Facts:
    """`answered`: seconds since the journal's writer was seen."""
    writer = SimpleNamespace(answered=time.monotonic() - answered, failing=None)
    source = SimpleNamespace(state=state, session=SimpleNamespace(fresh=fresh))
    parts: dict[str, Any] = {"settings": None, "receiver": None, "workers": None, "timings": None}
    return Facts(journal=SimpleNamespace(writer=writer), source=source, **parts)  # type: ignore[arg-type]


def _state(phase: str, *, for_seconds: float = 0.0, planned: float = 0.0) -> ConnectionState:
    now = time.time()
    return ConnectionState(
        phase=phase,
        since=now - for_seconds,
        next_attempt_at=now - for_seconds + planned if phase == "waiting" else None,
        progress=time.monotonic() - for_seconds,
    )


STALLED = {
    "connected": (_facts(_state("connected", for_seconds=1e6)), ""),
    "connected and deaf": (_facts(_state("connected"), fresh=False), "the connection's heartbeat"),
    "connecting": (_facts(_state("connecting", for_seconds=50)), ""),
    "connecting for too long": (_facts(_state("connecting", for_seconds=70)), "the supervisor"),
    "waiting as planned": (_facts(_state("waiting", for_seconds=290, planned=300)), ""),
    "waiting for ever": (_facts(_state("waiting", for_seconds=370, planned=300)), "the supervisor"),
    "writer": (_facts(_state("connected"), answered=31), "the journal's writer"),
    "writer with a slow disk": (_facts(_state("connected"), answered=20), ""),
}


@pytest.mark.parametrize("case", STALLED)
def test_what_stands_still(case: str) -> None:
    facts, expected = STALLED[case]
    assert expected == facts.stalled()


@dataclass
class FakeFacts:
    stalls: str = ""
    broken: bool = False
    phase: str = "connected"

    def stalled(self) -> str:
        return self.stalls

    def tick(self) -> None:
        """Nothing to note."""

    def connection(self) -> Connection:
        return Connection(phase=self.phase, since=moment(0), connected_since=moment(0), fresh=True)

    async def snapshot(self) -> Snapshot:
        if self.broken:
            raise RuntimeError("a bug")
        return Snapshot(state="running", taken_at=moment(0), connection=self.connection())


def _run(facts: FakeFacts, seconds: float = 0.1, changes: tuple[str, ...] = ()) -> list[str]:
    manager = Manager()

    async def main() -> None:
        pulse = Pulse(facts, manager)  # type: ignore[arg-type]
        for phase in changes:
            facts.phase = phase
            pulse.changed(ConnectionState(phase=phase))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(pulse.run(), seconds)

    asyncio.run(main())
    return manager.heard


def test_the_watchdog_is_fed_at_least_twice_as_often_as_it_asks_for() -> None:
    assert 5 <= _run(FakeFacts()).count("alive")


def test_a_part_that_stands_still_starves_it() -> None:
    with capture_logs() as lines:
        heard = _run(FakeFacts(stalls="the supervisor"))
    assert 0 == heard.count("alive")
    assert ["the supervisor"] == [line["part"] for line in lines]


def test_the_status_is_told_when_it_changes() -> None:
    assert 1 == sum(line.startswith("status connected since") for line in _run(FakeFacts()))


def test_an_error_in_looking_does_not_stop_the_pulse() -> None:
    with capture_logs() as lines:
        heard = _run(FakeFacts(broken=True))
    assert 5 <= heard.count("alive")
    assert {"the daemon can't tell its own state"} == {line["event"] for line in lines}


@pytest.mark.parametrize("phase", ["connected", "waiting"])
def test_ready_once_connected_or_after_a_failure_that_may_pass(phase: str) -> None:
    heard = _run(FakeFacts(), changes=("connecting", phase, "connecting", "connected"))
    assert 1 == sum(line.startswith("ready") for line in heard)


def test_not_ready_while_it_has_only_tried() -> None:
    assert 0 == sum(line.startswith("ready") for line in _run(FakeFacts(), changes=("starting", "connecting")))
