from datetime import UTC, datetime, timedelta

import pytest

from listener.cli.status_view import as_text
from listener.observe.health import (
    BackfillStatus,
    CallsStatus,
    ClientsStatus,
    ConnectionStatus,
    EventsStatus,
    GapStatus,
    JournalStatus,
    SinkStatus,
    Snapshot,
)

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


pytestmark = pytest.mark.usefixtures("in_shanghai")


def _ago(**since: float) -> datetime:
    return NOW - timedelta(**since)


def test_all_that_there_is_to_say() -> None:
    snapshot = Snapshot(
        state="running",
        taken_at=NOW,
        ready=True,
        problems=("sink hook fails: HTTP 502",),
        version="1.2.3",
        pid=42,
        started_at=_ago(days=2, hours=3, minutes=4),
        config="/etc/helpdesk-listen/config.toml",
        app_id="cli_demo",
        domain="https://open.feishu.cn",
        connection=ConnectionStatus(
            phase="connected",
            since=_ago(hours=2),
            fresh=True,
            round_trip_seconds=0.0123,
            connected_since=_ago(hours=2, minutes=1, seconds=7),
            lost_at=_ago(hours=2, minutes=2),
            lost_because="closed with 1006",
            losses={"closed": 2, "silent": 1},
        ),
        events=EventsStatus(per_second=0.5, ack_p99_seconds=0.0042, acks={200: 12, 500: 1}, duplicates=3),
        journal=JournalStatus(
            path="/j", used_bytes=2**20, max_bytes=2**30, disk_free_bytes=3 * 2**30, last_event_at=_ago(seconds=5)
        ),
        sinks=(
            SinkStatus(name="archive", delivered=12),
            SinkStatus(
                name="hook",
                lag=4,
                oldest_undelivered_seconds=65.0,
                retries=3,
                failing_seconds=9.0,
                last_error="HTTP 502",
            ),
        ),
        clients=ClientsStatus(online=2, expected=1),
    )
    assert [
        "degraded: helpdesk-listen 1.2.3, pid 42, up 2d3h, /etc/helpdesk-listen/config.toml",
        "  app         cli_demo at https://open.feishu.cn",
        "  connection  connected since 2026-11-22 15:28:53 (2h1m ago), ping 12 ms",
        "  lost        last 2026-11-22 15:28:00 (2h2m ago): closed with 1006 (so far: closed 2, silent 1)",
        "  acks        12 with 200, 1 with 500, p99 4.2 ms, 3 duplicates",
        "  last event  2026-11-22 17:29:55 (5s ago); 0.5/s over the last minute",
        "  journal     /j: 1MiB of 1GiB, 3GiB free on its disk",
        "  sink        archive: up to date, 12 delivered",
        "  sink        hook: 4 behind, oldest 1m5s, 3 retries, failing for 9s: HTTP 502",
        "  clients     2 of the app online, 1 expected",
        "  ! sink hook fails: HTTP 502",
    ] == as_text(snapshot).splitlines()


def test_one_that_never_ran() -> None:
    snapshot = Snapshot(
        state="stopped", taken_at=NOW, problems=("not running", "there is no journal yet: it never ran"), app_id="a"
    )
    assert ["not running", "  app         a at ", "  ! there is no journal yet: it never ran"] == as_text(
        snapshot
    ).splitlines()


def test_one_that_waits_for_its_next_attempt() -> None:
    connection = ConnectionStatus(
        phase="waiting", since=NOW, lost_at=_ago(seconds=9), next_attempt_at=NOW, lost_because="x"
    )
    text = as_text(Snapshot(state="running", taken_at=NOW, connection=connection))
    assert (
        "  connection  waiting, not connected since 2026-11-22 17:29:51 (9s ago), next attempt 2026-11-22 17:30:00"
        in text
    )


def test_calls_jobs_and_gaps_have_their_lines() -> None:
    snapshot = Snapshot(
        state="stopped",
        taken_at=NOW,
        problems=("not running",),
        app_id="cli_demo",
        domain="https://open.feishu.cn",
        calls=CallsStatus(by_api={"ticket": 40, "messages": 2}, total=42, limit=100, halted="used up"),
        gaps=(GapStatus(since=_ago(hours=30), until=_ago(hours=20)),),
        backfills=(BackfillStatus(since=_ago(days=2), until=NOW, state="fetching", tickets=9, tickets_done=4, new=7),),
    )
    assert [
        "not running",
        "  app         cli_demo at https://open.feishu.cn",
        "  API calls   42 of at most 100 this month (messages 2, ticket 40); HALTED until next month: used up",
        "  backfill    fetching, since 2026-11-20 17:30:00: 4 of 9 tickets, 7 new messages of 0, 0 calls",
        "  gap         nobody listened from 2026-11-21T03:30:00Z to 2026-11-21T13:30:00Z: what the platform gave up"
        " after 7 h is not known: helpdesk-listen backfill --since 2026-11-21T03:30:00Z",
    ] == as_text(snapshot).splitlines()
