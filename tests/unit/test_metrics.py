"""What is exported, and that dashboard and alerts speak of nothing else."""

import json
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from listener.journal import Pending
from listener.observe.health import ClientsStatus, ConnectionStatus, EventsStatus, JournalStatus, SinkStatus, Snapshot
from listener.observe.measure import Latencies
from listener.observe.metrics import page
from listener.sinks.base import Line
from tests import samples

MONITORING = Path(__file__).parents[2] / "systemd" / "monitoring"
NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Debian: prometheus) is missing")


def _page() -> bytes:
    """With every metric that there is."""
    timings = Latencies(histograms=True)
    timings.on_settled([Pending(b"{}", "id", "type")])
    event = samples.received(samples.encode(samples.example()))
    timings.on_delivered("archive", [Line(event, b"{}")])
    snapshot = Snapshot(
        state="running",
        taken_at=NOW,
        started_at=NOW,
        version="1.2.3",
        app_id="cli_private",
        ready=True,
        connection=ConnectionStatus(
            phase="connected", since=NOW, fresh=True, round_trip_seconds=0.01, connections=2, losses={"closed": 1}
        ),
        events=EventsStatus(acks={200: 5, 500: 1}, kept=4, duplicates=1),
        journal=JournalStatus(path="/var/lib/x", last_event_at=NOW, disk_free_bytes=7),
        sinks=(SinkStatus(name="archive", delivered=4, retries=2, rejected=1, dead_letters=1, lag=3),),
        clients=ClientsStatus(online=1),
    )
    return page(snapshot, timings)


def _samples() -> dict[str, dict[tuple[str, ...], float]]:
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(_page().decode()):
        for sample in family.samples:
            labels = tuple(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


def test_what_a_scrape_says() -> None:
    found = _samples()
    assert {("version=1.2.3",): 1.0} == found["helpdesk_listen_build_info"]
    assert {("code=200",): 5.0, ("code=500",): 1.0} == found["helpdesk_listen_acks_total"]
    assert {("cause=closed",): 1.0} == found["helpdesk_listen_connection_failures_total"]
    assert {("sink=archive",): 3.0} == found["helpdesk_listen_sink_lag_events"]
    assert {
        ("outcome=delivered", "sink=archive"): 4.0,
        ("outcome=retry", "sink=archive"): 2.0,
        ("outcome=rejected", "sink=archive"): 1.0,
        ("outcome=filtered", "sink=archive"): 0.0,
    } == found["helpdesk_listen_sink_outcomes_total"]
    assert {("sink=archive",): 1.0} == found["helpdesk_listen_delivery_delay_seconds_count"]
    assert {(): 1.0} == found["helpdesk_listen_ack_duration_seconds_count"]


def test_labels_are_few_and_say_nothing_of_events() -> None:
    names = {label.split("=")[0] for series in _samples().values() for labels in series for label in labels}
    assert {"sink", "code", "cause", "outcome", "result", "version", "le"} == names
    text = _page().decode()
    private = [samples.EVENT_ID, samples.TICKET_ID, samples.TOKEN, "cli_private", "2ca1d211f64f6438"]
    assert [] == [word for word in private if word in text]


def _used(text: str) -> set[str]:
    return set(re.findall(r"\b(?:helpdesk_listen|process)_[a-z_]+\b", text))


def test_the_dashboard_asks_for_what_is_exported() -> None:
    dashboard = json.loads((MONITORING / "dashboard.json").read_text(encoding="utf-8"))
    asked = {name for panel in dashboard["panels"] for target in panel["targets"] for name in _used(target["expr"])}
    assert set() == asked - _samples().keys()
    own = {name for name in _samples() if name.startswith("helpdesk_listen_")}
    parts = {name for name in own if name.endswith(("_sum", "_count"))}
    alone = {"journal_writable", "sink_paused", "sink_stuck", "sink_waiting_events", "start_time_seconds"}
    assert {f"helpdesk_listen_{name}" for name in alone} == own - asked - parts, "on no panel: these are for alerts"


def test_the_alerts_ask_for_what_is_exported() -> None:
    for name in ("alerts.yml", "alerts.test.yml"):
        asked = _used((MONITORING / name).read_text(encoding="utf-8"))
        assert set() == asked - _samples().keys(), name


@needs_promtool
def test_promtool_finds_nothing_to_say_about_a_scrape() -> None:
    done = subprocess.run(["promtool", "check", "metrics"], input=_page(), capture_output=True, check=False)
    assert (0, b"", b"") == (done.returncode, done.stdout, done.stderr)


@needs_promtool
@pytest.mark.parametrize("what", [("check", "rules", "alerts.yml"), ("test", "rules", "alerts.test.yml")])
def test_promtool_accepts_the_alert_rules(what: tuple[str, ...]) -> None:
    done = subprocess.run(["promtool", *what], cwd=MONITORING, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stdout + done.stderr
