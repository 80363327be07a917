"""The supervisor with sessions that are scripts: when it tries again, what it says, what ends it."""

import asyncio
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NoReturn

import pytest
from structlog.testing import capture_logs

from listener.base.errors import (
    CredentialsRefused,
    Lost,
    Pace,
    Refused,
    RestartNeeded,
    SessionError,
    TooManyConnections,
    Unreachable,
)
from listener.sources.long_connection import Backoff, ConnectionState, Supervisor

LOST = Lost("it broke", cause="broken")
BUSY = Unreachable("busy", cause="endpoint")
DENIED = CredentialsRefused("denied", cause="credentials")
FULL = TooManyConnections("full", cause="connection_limit")
ODD = Refused("odd", cause="refused")


class Enough(Exception):
    """The script is over."""


@dataclass
class Scripted:
    """A session whose `open` or `listen` fails as told; `delivered` makes it a proved one."""

    at_open: BaseException | None = None
    at_listen: BaseException = LOST
    delivered: int = 0
    nonce: float = 0.0
    closed: int = 0
    connection_id: str = "c1"
    fresh: bool = True
    round_trip: float | None = None
    unanswered: int = 0

    @property
    def reconnect_nonce(self) -> float:
        return self.nonce

    async def open(self) -> None:
        if self.at_open:
            raise self.at_open

    async def listen(self) -> NoReturn:
        raise self.at_listen

    async def proven(self) -> None:
        return

    async def next_event(self, within: float) -> None:
        return

    def probe(self) -> None:
        return

    async def close(self) -> None:
        self.closed += 1


@dataclass
class Run:
    """What a supervisor did with a script."""

    supervisor: Supervisor
    waits: list[float]
    ended: BaseException
    lines: list[dict[str, Any]]
    phases: list[str] = field(default_factory=list)


def run(sessions: Iterable[Scripted], backoff: Backoff | None = None, **settings: Any) -> Run:
    """All of them in turn, with no time passing in the waits."""
    script, waits, phases = iter(sessions), list[float](), list[str]()

    def next_session() -> Scripted:
        session = next(script, None)
        if session is None:
            raise Enough
        return session

    async def main() -> BaseException:
        with pytest.raises((Enough, SessionError, RestartNeeded, RuntimeError)) as ended:
            await supervisor.run()
        return ended.value

    async def pause(seconds: float) -> None:
        waits.append(seconds)

    def noted(state: ConnectionState) -> None:
        phases.append(state.phase)

    supervisor = Supervisor(next_session, backoff=backoff, on_change=noted, pause=pause, **settings)
    with capture_logs() as lines:
        ended = asyncio.run(main())
    return Run(supervisor, waits, ended, [dict(line) for line in lines], phases)


@pytest.fixture
def longest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jitter at its upper end, so that bounds can be read."""
    monkeypatch.setattr(random, "uniform", lambda low, high: high)


@pytest.mark.usefixtures("longest")
def test_soon_is_gentle_and_never_longer_than_8_s() -> None:
    waits = run([Scripted(BUSY)] * 60).waits
    assert [pytest.approx(0.25 * 1.1**n) for n in range(30)] == waits[:30]
    assert 8.0 == max(waits) == waits[-1]


@pytest.mark.usefixtures("longest")
@pytest.mark.parametrize("error", [FULL, ODD])
def test_slow_begins_at_5_s_and_doubles_to_5_min(error: SessionError) -> None:
    assert [5, 10, 20, 40, 80, 160, 300, 300] == run([Scripted(error)] * 8).waits


@pytest.mark.usefixtures("longest")
def test_credentials_refused_later_are_tried_slowly() -> None:
    assert [0, 5, 10, 20] == run([Scripted(delivered=1), *[Scripted(DENIED)] * 3]).waits


def test_every_wait_is_jittered_from_zero() -> None:
    waits = [run([Scripted(FULL)] * 5).waits[-1] for _ in range(200)]
    assert 0 <= min(waits) < 15
    assert 60 < max(waits) <= 80


@pytest.mark.usefixtures("longest")
def test_a_new_pace_begins_at_its_own_beginning() -> None:
    waits = run([Scripted(error) for error in (BUSY, BUSY, FULL, FULL, BUSY, FULL)]).waits
    assert [0.25, pytest.approx(0.275), 5, 10, 0.25, 5] == waits


@pytest.mark.usefixtures("longest")
@pytest.mark.parametrize(("nonce", "wait"), [(0.0, 0.0), (3.0, 3.0), (30.0, 5.0)])
def test_a_proved_connections_loss_costs_one_prompt_attempt(nonce: float, wait: float) -> None:
    assert [0.25, pytest.approx(0.275), wait, 0.25] == run(
        [Scripted(BUSY), Scripted(BUSY), Scripted(delivered=1, nonce=nonce), Scripted(BUSY)]
    ).waits


@pytest.mark.usefixtures("longest")
def test_a_connection_that_never_proves_itself_is_tried_ever_less_often() -> None:
    assert [pytest.approx(0.25 * 1.1**n) for n in range(6)] == run([Scripted()] * 6).waits


@pytest.mark.usefixtures("longest")
def test_five_seconds_of_life_prove_a_connection() -> None:
    assert [0.0] * 3 == run([Scripted()] * 3, Backoff(proven_after=0.0)).waits


@pytest.mark.parametrize("before", [[], [Scripted(BUSY)] * 3])
def test_credentials_refused_before_the_first_connection_end_it(before: list[Scripted]) -> None:
    assert DENIED is run([*before, Scripted(DENIED)]).ended


@pytest.mark.parametrize("where", ["at_open", "at_listen"])
def test_a_bug_ends_it_and_is_not_retried(where: str) -> None:
    session = Scripted(**{where: RuntimeError("a bug")})  # type: ignore[arg-type]
    assert "a bug" == str(run([session, Scripted()]).ended)
    assert 1 == session.closed


def test_every_session_is_closed_once() -> None:
    sessions = [Scripted(BUSY), Scripted(), Scripted(delivered=1), Scripted(FULL)]
    run(sessions)
    assert [1, 1, 1, 1] == [session.closed for session in sessions]


def test_the_state_tells_of_losses_and_attempts() -> None:
    state = run([Scripted(BUSY), Scripted(delivered=1), Scripted(FULL), Scripted(BUSY)]).supervisor.state
    assert {"endpoint": 2, "broken": 1, "connection_limit": 1} == state.losses
    assert (1, 3, "busy", None, "stopped") == (
        state.connections,
        state.attempts,
        state.lost_because,
        state.connected_since,
        state.phase,
    )
    assert state.lost_at is not None


def test_the_phases_come_in_order() -> None:
    assert ["connecting", "connecting", "connected", "connecting", "stopped"] == run(
        [Scripted(BUSY), Scripted(delivered=1)]
    ).phases


def told(lines: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(line["log_level"], line["event"]) for line in lines]


def test_one_line_for_each_reason_and_none_for_each_attempt() -> None:
    lines = run([*[Scripted(BUSY)] * 50, *[Scripted(FULL)] * 50, Scripted(delivered=1), *[Scripted(BUSY)] * 50]).lines
    assert [
        ("warning", "cannot connect"),
        ("error", "cannot connect"),
        ("info", "connected: ready"),
        ("warning", "connection lost"),
        ("warning", "cannot connect"),
    ] == told(lines)


def test_what_lasts_is_told_again_now_and_then() -> None:
    lines = run([Scripted(FULL)] * 5, Backoff(log_every=0.0)).lines
    assert [("error", "cannot connect")] * 5 == told(lines)


@pytest.mark.parametrize(("after", "expected"), [(0.0, RestartNeeded), (300.0, Enough)])
def test_a_snapshot_that_is_refused_for_long_needs_a_restart(after: float, expected: type[BaseException]) -> None:
    sessions = [Scripted(delivered=1), *[Scripted(DENIED)] * 5]
    found = run(sessions, Backoff(stale_secret_after=after), secret_is_snapshot=True)
    assert expected is type(found.ended)


@pytest.mark.usefixtures("longest")
def test_a_snapshots_last_wait_ends_when_it_counts_as_stale() -> None:
    sessions = [Scripted(delivered=1), *[Scripted(DENIED)] * 5]
    waits = run(sessions, Backoff(stale_secret_after=12.0), secret_is_snapshot=True).waits
    assert [0, 5, 10, pytest.approx(12, abs=0.5), pytest.approx(12, abs=0.5)] == waits[:5]


def test_a_refused_snapshot_is_forgiven_by_a_connection_alone() -> None:
    supervisor = run([Scripted(delivered=1), Scripted(DENIED), Scripted(BUSY)], secret_is_snapshot=True).supervisor
    assert supervisor.refused_since is not None
    healed = run([Scripted(delivered=1), Scripted(DENIED), Scripted()], secret_is_snapshot=True).supervisor
    assert healed.refused_since is None


def test_pace_is_a_property_of_the_error() -> None:
    assert [Pace.SOON, Pace.SOON, Pace.FATAL, Pace.SLOW, Pace.SLOW] == [e.pace for e in (LOST, BUSY, DENIED, FULL, ODD)]


def test_a_real_wait_can_be_cancelled() -> None:
    async def main() -> str:
        supervisor = Supervisor(lambda: Scripted(FULL), backoff=Backoff(slow_initial=300))
        task = asyncio.ensure_future(supervisor.run())
        await asyncio.wait({task}, timeout=0.2)
        assert supervisor.state.next_attempt_at is not None
        task.cancel()
        await asyncio.wait({task})
        return supervisor.state.phase

    assert "stopped" == asyncio.run(main())
