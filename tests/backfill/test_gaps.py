"""When nobody listened, as the running daemon notes it."""

from pathlib import Path

import pytest

from listener.backfill.backfiller import Backfiller
from listener.feishu.meter import Meter
from listener.feishu.tickets import TicketsApi
from listener.journal import backfills
from listener.settings.config import load
from tests.daemon import environment
from tests.delivery.working import DAY, HOUR, jumping
from tests.journal.keeping import opened


def _unused(helpdesk_id: str, token_file: str) -> TicketsApi:
    raise AssertionError((helpdesk_id, token_file))


@pytest.mark.parametrize("seconds", [60 * DAY, -60 * DAY])
def test_a_wall_clock_that_is_put_right_is_no_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """Else `after_outage` would fetch two months of what came already."""
    jump = jumping(monkeypatch)
    settings = load(None, environment(tmp_path))
    with opened(tmp_path / "j.db") as journal:
        backfiller = Backfiller(settings, journal, Meter(), _unused, lambda: True)
        backfiller.tick()
        jump(seconds)
        backfiller.tick()
        assert [] == journal.ask(lambda connection: backfills.gaps(connection, 9))


@pytest.mark.parametrize("seconds", [0.0, -DAY])
def test_a_time_without_a_connection_is_one_whatever_the_wall_clock_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """A machine that slept counts its sleep by another clock than that of the time of day."""
    jump = jumping(monkeypatch)
    asleep = [0.0]
    monkeypatch.setattr("listener.base.clock.suspended_seconds", lambda: asleep[0])
    settings = load(None, environment(tmp_path))
    with opened(tmp_path / "j.db") as journal:
        backfiller = Backfiller(settings, journal, Meter(), _unused, lambda: True)
        backfiller.tick()
        asleep[0] += HOUR
        jump(HOUR + seconds)
        backfiller.tick()
        (gap,) = journal.ask(lambda connection: backfills.gaps(connection, 9))
        assert HOUR == round((gap.to_ms - gap.from_ms) / 1000)
