import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from listener.observe.health import (
    ClientsStatus,
    ConnectionStatus,
    EventsStatus,
    JournalStatus,
    SinkStatus,
    Snapshot,
    decode,
    encode,
    is_stuck,
    judged,
    one_line,
)

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
LOST = NOW - timedelta(minutes=5)


@dataclass
class Parts:
    """A healthy daemon, to be made worse."""

    connection: dict[str, Any] = field(default_factory=dict)
    journal: dict[str, Any] = field(default_factory=dict)
    sink: dict[str, Any] = field(default_factory=dict)
    clients: ClientsStatus | None = None

    def snapshot(self) -> Snapshot:
        connection: dict[str, Any] = {"phase": "connected", "since": LOST, "connected_since": LOST, "fresh": True}
        journal: dict[str, Any] = {
            "path": "/j",
            "used_bytes": 10,
            "max_bytes": 100,
            "disk_free_bytes": 2**30,
            "last_event_at": LOST,
        }
        return judged(
            Snapshot(
                state="running",
                taken_at=NOW,
                connection=ConnectionStatus(**connection | self.connection),
                events=EventsStatus(acks={200: 3, 500: 0}),
                journal=JournalStatus(**journal | self.journal),
                sinks=(SinkStatus(**{"name": "archive", "state": "running"} | self.sink),),
                clients=self.clients,
            )
        )


def test_a_healthy_daemon_is_ready_and_has_no_problem() -> None:
    assert (True, ()) == (Parts().snapshot().ready, Parts().snapshot().problems)


UNREADY = {
    "not connected": (Parts(connection={"phase": "connecting"}), "not connected"),
    "lost": (
        Parts(connection={"phase": "waiting", "lost_at": LOST, "lost_because": "closed with 1006"}),
        "not connected since 2026-11-22T09:25:00Z: closed with 1006",
    ),
    "deaf peer": (Parts(connection={"fresh": False}), "connected, but the platform is silent"),
    "failing": (Parts(journal={"failing": "disk I/O error"}), "the journal can't be written: disk I/O error"),
    "full": (Parts(journal={"full": True}), "the journal is full: new events are refused"),
    "disk full": (Parts(journal={"disk_free_bytes": 0}), "the journal's disk is full"),
    "hung disk": (Parts(journal={"answers": False}), "the journal's disk does not answer"),
    "died": (Parts(sink={"state": "died"}), "sink archive: its worker died"),
    "fails for long": (
        Parts(sink={"failing_seconds": 31.0, "last_error": "connection refused"}),
        "sink archive: connection refused",
    ),
    "hangs": (
        Parts(sink={"lag": 7, "oldest_undelivered_seconds": 40.0, "idle_seconds": 50.0}),
        "sink archive: 7 events wait, and nothing is delivered",
    ),
}


@pytest.mark.parametrize("case", UNREADY)
def test_what_keeps_it_from_being_ready(case: str) -> None:
    parts, problem = UNREADY[case]
    snapshot = parts.snapshot()
    assert (False, (problem,)) == (snapshot.ready, snapshot.problems)


DEGRADED = {
    "80 % and a sink that has not got it": (
        Parts(journal={"used_bytes": 80}, sink={"lag": 1, "oldest_undelivered_seconds": 2.0, "idle_seconds": 2.0}),
        "the journal is 80% full",
    ),
    "little disk": (Parts(journal={"disk_free_bytes": 8 * 2**20}), "the journal's disk has 8.0 MiB left"),
    "fails": (Parts(sink={"failing_seconds": 2.0, "last_error": "HTTP 502"}), "sink archive fails: HTTP 502"),
    "behind": (
        Parts(sink={"lag": 9, "oldest_undelivered_seconds": 300.0, "idle_seconds": 0.1}),
        "sink archive is 300 s behind",
    ),
    "dead letters": (
        Parts(sink={"dead_letters": 2}),
        "sink archive has 2 dead letters: helpdesk-listen dead-letters list",
    ),
    "closed": (Parts(sink={"state": "closed", "lag": 5}), "sink archive: its other end was closed"),
    "other clients": (
        Parts(clients=ClientsStatus(online=3, expected=1)),
        "3 clients of the app are online, 1 expected: others take events",
    ),
}


@pytest.mark.parametrize("case", DEGRADED)
def test_what_somebody_should_look_at_though_events_flow(case: str) -> None:
    parts, problem = DEGRADED[case]
    snapshot = parts.snapshot()
    assert (True, (problem,)) == (snapshot.ready, snapshot.problems)


def test_a_journal_full_of_what_is_delivered_can_make_room() -> None:
    assert (
        () == Parts(journal={"used_bytes": 95}, sink={"lag": 1, "oldest_undelivered_seconds": 0.1}).snapshot().problems
    )


def test_a_sink_that_catches_up_is_not_stuck() -> None:
    behind = SinkStatus(name="a", lag=10**6, oldest_undelivered_seconds=86_400.0, idle_seconds=0.2)
    assert not is_stuck(behind)


def test_an_idle_sink_with_a_fresh_event_is_not_stuck() -> None:
    assert not is_stuck(SinkStatus(name="a", lag=1, oldest_undelivered_seconds=0.1, idle_seconds=90_000.0))


def test_the_line_for_systemd() -> None:
    assert "connected since 2026-11-22T09:25:00Z; last event 2026-11-22T09:25:00Z; archive 4 behind" == one_line(
        Parts(sink={"lag": 4}).snapshot()
    )


def test_the_line_of_a_lost_connection_says_why_and_what_comes_once() -> None:
    lost = {"phase": "waiting", "lost_at": LOST, "lost_because": "broken", "next_attempt_at": NOW}
    assert (
        "not connected since 2026-11-22T09:25:00Z: broken; next attempt 2026-11-22T09:30:00Z;"
        " last event 2026-11-22T09:25:00Z" == one_line(Parts(connection=lost).snapshot())
    )


def test_json_and_back() -> None:
    snapshot = Parts(clients=ClientsStatus(online=1)).snapshot()
    assert snapshot == decode(encode(snapshot))
    assert "2026-11-22T09:30:00Z" == msgspec.json.decode(encode(snapshot))["taken_at"]


def test_a_path_that_is_no_utf_8_is_told_all_the_same() -> None:
    snapshot = Parts(journal={"path": os.fsdecode(b"/\xff/helpdesk.db")}).snapshot()
    journal = decode(encode(snapshot)).journal
    assert journal is not None
    assert "/?/helpdesk.db" == journal.path


def test_what_a_newer_daemon_adds_is_passed_over() -> None:
    assert "running" == decode(b'{"state":"running","taken_at":"2026-11-22T09:30:00Z","mood":"good"}').state
