"""What the watchdog hangs on, with the parts that must move replaced by ones that can be stopped."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from listener.journal.inspect import JournalState, touch
from listener.observe.facts import Facts
from listener.observe.health import ConnectionStatus, Snapshot, moment
from listener.observe.watchdog import Watchdog
from listener.sources.long_connection import ConnectionState


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


STALLED: dict[str, tuple[Callable[[], Facts], str]] = {  # made when they are looked at: time counts
    "connected": (lambda: _facts(_state("connected", for_seconds=1e6)), ""),
    "connected and deaf": (lambda: _facts(_state("connected"), fresh=False), "the connection's heartbeat"),
    "connecting": (lambda: _facts(_state("connecting", for_seconds=50)), ""),
    "connecting for too long": (lambda: _facts(_state("connecting", for_seconds=70)), "the supervisor"),
    "waiting as planned": (lambda: _facts(_state("waiting", for_seconds=290, planned=300)), ""),
    "waiting for ever": (lambda: _facts(_state("waiting", for_seconds=370, planned=300)), "the supervisor"),
    "writer": (lambda: _facts(_state("connected"), answered=31), "the journal's writer"),
    "writer with a slow disk": (lambda: _facts(_state("connected"), answered=20), ""),
}


@pytest.mark.parametrize("case", STALLED)
def test_what_stands_still(case: str) -> None:
    facts, expected = STALLED[case]
    assert expected == facts().stalled()


@dataclass
class FakeFacts:
    stalls: str = ""
    broken: bool = False
    phase: str = "connected"

    def stalled(self) -> str:
        return self.stalls

    def tick(self) -> None:
        """Nothing to note."""

    def connection(self) -> ConnectionStatus:
        return ConnectionStatus(phase=self.phase, since=moment(0), connected_since=moment(0), fresh=True)

    async def snapshot(self, disk_of: float) -> Snapshot:
        if self.broken:
            raise RuntimeError("a bug")
        return Snapshot(state="running", taken_at=moment(0), connection=self.connection())


def _run(facts: FakeFacts, seconds: float = 0.1, changes: tuple[str, ...] = ()) -> list[str]:
    manager = Manager()

    async def main() -> None:
        watchdog = Watchdog(facts, manager)  # type: ignore[arg-type]
        for phase in changes:
            facts.phase = phase
            watchdog.changed(ConnectionState(phase=phase))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(watchdog.run(), seconds)

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


@dataclass
class Writer:
    """The journal's, as far as `tick` knows it. `answered_ago` in seconds."""

    answered_ago: float = 0.0
    failing: str | None = None
    asked: list[Any] = field(default_factory=list)

    @property
    def answered(self) -> float:
        return time.monotonic() - self.answered_ago

    def submit(self, job: Callable[[Any], None]) -> "Future[None]":
        self.asked.append(job)
        return Future()


def _ticking(writer: Writer, *, free: int = 2**30) -> Facts:
    facts = _facts(_state("connected"))
    facts.journal = SimpleNamespace(writer=writer)  # type: ignore[assignment]
    facts.receiver = SimpleNamespace(state=SimpleNamespace(acks={200: 1}))  # type: ignore[assignment]
    facts.seen = JournalState(
        used_bytes=0,
        file_bytes=0,
        disk_free_bytes=free,
        last_seq=0,
        last_event_ms=None,
        unreadable=0,
        unreadable_left=0,
    )
    return facts


def test_a_writer_that_works_is_left_alone() -> None:
    writer = Writer()
    _ticking(writer).tick()
    assert [] == writer.asked


def test_a_quiet_writer_is_asked_once_until_it_answers() -> None:
    facts = _ticking(writer := Writer(answered_ago=5.0))
    for _ in range(3):
        facts.tick()
    assert 1 == len(writer.asked)


def test_a_writer_that_failed_tries_again_once_there_is_room() -> None:
    full, roomy = Writer(failing="disk is full"), Writer(failing="disk is full")
    _ticking(full, free=4096).tick()
    _ticking(roomy).tick()
    assert ([], [touch]) == (full.asked, roomy.asked)


def test_a_reload_is_told_once_it_is_up() -> None:
    manager = Manager()
    watchdog = Watchdog(FakeFacts(), manager)  # type: ignore[arg-type]
    with watchdog.reloading():
        assert [] == manager.heard
    watchdog.changed(ConnectionState(phase="connected"))
    with watchdog.reloading():
        assert ["ready", "reloading"] == [line.split()[0] for line in manager.heard]
    assert ["ready", "reloading", "ready"] == [line.split()[0] for line in manager.heard]


def _looking(monkeypatch: pytest.MonkeyPatch, failing: str | None = None) -> tuple[Facts, list[bool]]:
    """Facts of a running daemon, and its looks at the disk."""
    facts, looks = _ticking(Writer(failing=failing)), list[bool]()

    def read_state(*_: object) -> JournalState | None:
        looks.append(True)
        return facts.seen

    monkeypatch.setattr("listener.observe.facts.read_state", read_state)
    facts.workers = []  # type: ignore[assignment]
    facts.journal.path = None  # type: ignore[assignment]
    return facts, looks


def test_what_the_disk_said_may_be_as_old_as_the_asker_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    facts, looks = _looking(monkeypatch)

    async def main() -> None:
        for allowed in (0.0, 60.0, 60.0, 0.0):
            assert await facts.disk_answers(allowed)

    asyncio.run(main())
    assert 2 == len(looks)


def test_while_the_journal_cannot_be_written_the_disk_is_asked_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    facts, looks = _looking(monkeypatch, failing="disk is full")

    async def main() -> None:
        for _ in range(3):
            await facts.disk_answers(60.0)

    asyncio.run(main())
    assert 3 == len(looks)
