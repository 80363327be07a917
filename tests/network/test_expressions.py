"""Users' expressions beside requests: one that runs away delays no answer, and makes one dead letter."""

import time
from pathlib import Path

from tests.journal.keeping import opened, rows, until
from tests.network.receiving import Receiver
from tests.network.sending import config, drained, fill, in_order, sending

RUNAWAY = 'if .event_id == "e150" then def f: f; f else true end'


def test_an_expression_that_runs_away_delays_no_answer_of_the_same_sink(tmp_path: Path) -> None:
    """Answers come after 50 ms; a request's time-out is shorter than the expression runs."""
    with opened(tmp_path / "j.db") as journal, Receiver(delay=0.05) as end:
        ids = fill(journal, 300, 10)
        hook = config(end.url, in_flight=4, timeout=0.6, filter=RUNAWAY)
        with sending(journal, hook) as worker:
            until(lambda: len(end.got) >= 100, "it sends while the expression runs")
            drained(worker, 60)
            assert 0 == worker.state.retries
        assert sorted(set(ids) - {"e150"}) == sorted(end.got)
        assert in_order(end.got, 10)
        assert [151] == [seq for (seq,) in rows(journal.path, "SELECT seq FROM dead_letters")]


def test_a_stop_does_not_wait_for_an_expression(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal, Receiver() as end:
        fill(journal, 200, 10)
        with sending(journal, config(end.url, filter="def f: f; f")) as worker:
            until(lambda: worker.feed.preparing, "it runs")
            began = time.monotonic()
            worker.abandon()
            assert worker.join(5.0)
        assert time.monotonic() - began < 3.0
