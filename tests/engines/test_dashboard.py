"""The dashboard of tickets asks for what the views have: its queries run on thirty days of the demo's conversation."""

import json
import re
import time
from itertools import count, islice
from pathlib import Path

import pytest

from listener.simulator.conversation import conversation
from tests.engines.server import Database
from tests.journal.keeping import keep, opened
from tests.network.sending import drained, sending
from tests.samples import encode

DASHBOARD = Path(__file__).parents[2] / "systemd" / "monitoring" / "tickets.json"
PANELS = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
EVENTS, DAYS = 1500, 30


def sql_of(text: str) -> str:
    """A query with Grafana's macro as Grafana writes it, for the last thirty days."""
    asked = re.sub(r"\$__timeFilter\((\w+)\)", rf"\1 BETWEEN now() - interval '{DAYS} days' AND now()", text)
    assert "$__" not in asked
    return asked


def test_each_panels_query_runs_and_brings_what_the_panel_wants(tmp_path: Path, database: Database) -> None:
    now, ticks = int(time.time() * 1000), count()
    step = DAYS * 86_400_000 // EVENTS

    def clock() -> int:
        return now - DAYS * 86_400_000 + min(next(ticks), EVENTS) * step

    events = [encode(event) for event in islice(conversation(seed=7, clock=clock), EVENTS)]
    with opened(tmp_path / "j.db") as journal:
        assert {200} == set(keep(journal, *events))
        with sending(journal, database.config()) as worker:
            drained(worker)
    for panel in PANELS:
        (target,) = panel["targets"]
        found = database.sql(sql_of(target["rawSql"]))
        assert found, panel["title"]
        assert any(cell for row in found for cell in row), panel["title"]
        if target["format"] == "time_series":
            kind = f"SELECT DISTINCT pg_typeof(time) FROM ({sql_of(target['rawSql'])}) AS panel"  # noqa: S608
            assert [["timestamp with time zone"]] == database.sql(kind)
    assert len(PANELS) == len({panel["id"] for panel in PANELS})


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: str(panel["title"]))
def test_panels_name_nothing_but_the_views(panel: dict[str, list[dict[str, str]]]) -> None:
    asked = set(re.findall(r"FROM (\w+)", panel["targets"][0]["rawSql"]))
    assert asked <= {"helpdesk_tickets", "helpdesk_messages_hourly"}, asked
