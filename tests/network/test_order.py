"""Many requests under way: each ticket in order, each event once, at the pace that the answers allow."""

from pathlib import Path

import pytest

from tests.journal.keeping import opened
from tests.network.receiving import Receiver
from tests.network.sending import config, drained, fill, in_order, sending


def test_tickets_go_side_by_side_and_their_events_one_after_the_other(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal, Receiver(delay=0.02) as end:
        ids = fill(journal, 200, 10)
        with sending(journal, config(end.url, in_flight=8)) as worker:
            drained(worker)
        assert sorted(ids) == sorted(end.got)
        assert in_order(end.got, 10)
        assert 2 <= end.most_at_once <= 8


def test_strict_order_is_one_request_at_a_time(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal, Receiver() as end:
        ids = fill(journal, 50, 10)
        with sending(journal, config(end.url, in_flight=8, order="strict")) as worker:
            drained(worker)
        assert (ids, 1) == (end.got, end.most_at_once)


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{"in_flight": 64}, {"in_flight": 8, "max_events": 100}], ids=str)
def test_ten_thousand_events_come_once_and_each_ticket_in_order(tmp_path: Path, settings: dict[str, int]) -> None:
    """What that takes: `python -m tests.bench.network`."""
    with opened(tmp_path / "j.db") as journal, Receiver(delay=0.05) as end:
        ids = fill(journal, 10_000, 500)
        with sending(journal, config(end.url, **settings)) as worker:
            drained(worker, 100)
        assert sorted(ids) == sorted(end.got)
        assert in_order(end.got, 500)
        assert end.most_at_once <= settings["in_flight"]


def test_what_the_settings_hide_or_leave_out_is_not_sent(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal, Receiver() as end:
        ids = fill(journal, 20, 5)
        hiding = config(end.url, omit=("event.text",), filter='.event_id != "e3"')
        with sending(journal, hiding) as worker:
            drained(worker)
            assert 1 == worker.state.filtered
        assert sorted(set(ids) - {"e3"}) == sorted(end.got)
        assert [] == [one for post in end.posts for one in post.events if "text" in one["event"]]
