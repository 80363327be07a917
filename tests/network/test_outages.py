"""The other end down, refusing us, or refusing one event: what waits, what goes on, what becomes a dead letter."""

from itertools import pairwise
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from listener.sinks.base import Retry
from tests.delivery.working import DAY, jumping
from tests.journal.keeping import forgotten, opened, rows, until
from tests.network.receiving import Post, Receiver
from tests.network.sending import config, drained, fill, in_order, sending


def dead(path: Path) -> list[Any]:
    return rows(path, "SELECT seq, reason FROM dead_letters ORDER BY seq")


def test_refused_then_told_to_wait_then_at_work_loses_nothing(tmp_path: Path) -> None:
    """One request at a time while down, and none before Retry-After is over."""
    told: list[float] = []

    def answer(post: Post) -> Any:
        if not told:
            told.append(post.at)
            return 503, {"Retry-After": "7"}, "later"
        return 200

    with Receiver() as gone:
        port = gone.port
    with opened(tmp_path / "j.db") as journal:
        ids = fill(journal, 100, 10)
        with sending(journal, config(f"http://127.0.0.1:{port}/hook", in_flight=16)) as worker:
            until(lambda: worker.state.retries > 5, "it is refused")
            with Receiver(answer, port=port) as end:
                drained(worker, 30)
        assert sorted(ids) == sorted(end.got)
        assert in_order(end.got, 10)
        assert end.posts[1].at - told[0] >= 7.0
        assert [] == dead(journal.path)


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.long
def test_a_minute_of_refused_connections_then_503_then_fine(tmp_path: Path) -> None:
    """While the end is down, at most one connection or request at a time, and none before Retry-After is over."""
    retry = Retry(max_delay=2.0, give_up_after=None)
    with Receiver() as gone:
        port = gone.port
    with opened(tmp_path / "j.db") as journal:
        ids = fill(journal, 1000, 50)
        began = monotonic()
        with sending(journal, config(f"http://127.0.0.1:{port}/hook", in_flight=16, retry=retry)) as worker:
            most = 0

            def a_minute_is_over() -> bool:
                nonlocal most
                if worker.endpoint.down:
                    most = max(most, len(worker.requests))
                return monotonic() - began > 60.0

            until(lambda: worker.endpoint.down and not worker.requests, "it is taken for down")
            until(a_minute_is_over, "a minute", 70)
            assert (1, []) == (most, dead(journal.path))
            with Receiver(port=port) as end:
                end.answer = lambda post: (503, {"Retry-After": "7"}, "") if len(end.posts) == 1 else 200
                drained(worker, 60)
                at_once = end.most_at_once
        assert end.posts[1].at - end.posts[0].at >= 7.0
        assert at_once <= 16
        assert sorted(ids) == sorted(end.got)
        assert in_order(end.got, 50)


@pytest.mark.parametrize("status", [401, 403, 404, 410, 302])
def test_an_answer_about_the_endpoint_pauses_the_sink_and_a_reload_goes_on(
    tmp_path: Path, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    ok = False
    retry = Retry(max_delay=3600.0)
    with opened(tmp_path / "j.db") as journal, Receiver() as end:
        end.answer = lambda post: 200 if ok else (status, {"Location": "/elsewhere"}, "no")
        ids = fill(journal, 50, 10)
        with sending(journal, config(end.url, in_flight=1, retry=retry)) as worker:
            until(lambda: worker.state.paused, "it is paused")
            assert (1, []) == (len(end.posts), dead(journal.path))
            ok = True
            worker.sink.reopen()
            drained(worker)
            assert worker.state.paused is None
        assert sorted(ids) == sorted(end.got)
    assert 1 == capsys.readouterr().out.count("a sink is paused")


def test_one_that_fails_for_ever_and_one_that_is_refused_hold_up_nobody_else(tmp_path: Path) -> None:
    poisoned, refused = "e100", "e201"
    at: dict[str, float] = {}  # the first attempt of each

    def answer(post: Post) -> Any:
        (one,) = post.ids
        at.setdefault(one, post.at)
        return 500 if one == poisoned else 422 if one == refused else 200

    retry = Retry(max_delay=60.0, give_up_after=3.0)
    with opened(tmp_path / "j.db") as journal, Receiver(answer) as end:
        fill(journal, 1000, 50)
        with sending(journal, config(end.url, in_flight=16, retry=retry)) as worker:
            until(lambda: worker.state.waiting > 0, "it waits for a retry")
            until(lambda: len(end.got) >= 980, "the others have passed", 30)
            until(lambda: 202 in [seq for seq, _ in dead(journal.path)], "the refused one is a dead letter")
            drained(worker, 30)
        assert [101, 202] == [seq for seq, _ in dead(journal.path)]
        assert 998 == len(end.got) == len(set(end.got))
        assert in_order(end.got, 50)
        first, later = at[poisoned], [f"e{n}" for n in range(150, 1000, 50)]
        assert all(at[one] - first >= 3.0 for one in later)
        others = sorted(when for one, when in at.items() if one not in later)
        assert max(after - before for before, after in pairwise(others)) < 1.0  # seconds that one held up the others


def test_what_waits_for_retry_is_kept_through_a_restart(tmp_path: Path) -> None:
    bad = True

    def answer(post: Post) -> Any:
        return 500 if bad and post.ids == ["e3"] else 200

    with opened(tmp_path / "j.db") as journal, Receiver(answer) as end:
        ids = fill(journal, 40, 5)
        with sending(journal, config(end.url, in_flight=4)) as worker:
            until(lambda: worker.state.seq == 40, "the cursor passes over it")
            assert 8 == worker.state.waiting
        bad = False
        with sending(journal, config(end.url, in_flight=4)) as worker:
            until(lambda: len(end.got) == 40, "the rest")
            drained(worker)
        assert sorted(ids) == sorted(end.got)
        assert in_order(end.got, 5)


def test_what_is_erased_while_it_waits_leaves_no_dead_letter(tmp_path: Path) -> None:
    """Nobody could retry it, and it would be told as an event that this sink will not get."""
    refuse = False

    def answer(post: Post) -> Any:
        return (422 if refuse else 500) if post.ids == ["e3"] else 200

    with opened(tmp_path / "j.db") as journal, Receiver(answer) as end:
        fill(journal, 40, 5)
        with sending(journal, config(end.url, in_flight=4)) as worker:
            until(lambda: worker.state.waiting == 8, "its ticket waits")
            forgotten(journal, 4, 9)  # e3 and e8
            refuse = True
            drained(worker, 10)
        assert [] == dead(journal.path)
        assert [] == rows(journal.path, "SELECT seq FROM waiting")
        assert 38 == len(end.got)


@pytest.mark.parametrize("settings", [{}, {"max_events": 7}, {"order": "strict"}], ids=str)
def test_what_is_erased_while_the_end_is_down_does_not_go_out_when_it_is_back(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    """Neither from the journal's memory of the newest events, nor from what the sink had read ahead."""
    down = True
    with opened(tmp_path / "j.db") as journal, Receiver(lambda post: 503 if down else 200) as end:
        ids = fill(journal, 40, 5)
        with sending(journal, config(end.url, in_flight=4, **settings)) as worker:
            until(lambda: worker.state.failing_since, "it is down")
            forgotten(journal, 1, 4, 9, 40)
            down = False
            drained(worker, 10)
        assert sorted(set(ids) - {"e0", "e3", "e8", "e39"}) == sorted(end.got)


def test_what_waits_for_retry_by_a_clock_that_was_ahead_goes_out_once_the_clock_is_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its ticket's events would wait for as many days; through a restart, too."""
    bad, jump = True, jumping(monkeypatch)

    def answer(post: Post) -> Any:
        return 500 if bad and post.ids == ["e3"] else 200

    with opened(tmp_path / "j.db") as journal, Receiver(answer) as end:
        ids = fill(journal, 40, 5)
        jump(60 * DAY)
        with sending(journal, config(end.url, in_flight=4)) as worker:
            until(lambda: worker.state.seq == 40, "the cursor passes over it")
        bad = False
        jump(-60 * DAY)
        with sending(journal, config(end.url, in_flight=4)) as worker:
            until(lambda: len(end.got) == 40, "the rest")
            drained(worker)
        assert sorted(ids) == sorted(end.got)
        assert in_order(end.got, 5)


def test_a_clock_that_is_put_right_gives_up_no_event_that_waits_for_retry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has failed for moments, not for the days that the clock was behind."""
    bad, jump, attempts = True, jumping(monkeypatch), [0]

    def answer(post: Post) -> Any:
        attempts[0] += post.ids == ["e3"]
        return 500 if bad and post.ids == ["e3"] else 200

    with opened(tmp_path / "j.db") as journal, Receiver(answer) as end:
        ids = fill(journal, 40, 5)
        retry = Retry(max_delay=0.05, give_up_after=DAY)
        with sending(journal, config(end.url, in_flight=4, retry=retry)) as worker:
            until(lambda: worker.state.seq == 40, "the cursor passes over it")
            for days in (30, -60):
                jump(days * DAY)
                seen = attempts[0]
                until(lambda seen=seen: attempts[0] > seen + 1, "more attempts")  # type: ignore[misc]
            bad = False
            drained(worker)
        assert sorted(ids) == sorted(end.got)
        assert [] == dead(journal.path)


def test_one_bad_event_in_a_batch_is_found_by_halving(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal, Receiver() as end:
        end.answer = lambda post: 422 if "e77" in post.ids else 200
        fill(journal, 300, 30)
        with sending(journal, config(end.url, in_flight=4, max_events=100)) as worker:
            drained(worker)
        assert [78] == [seq for seq, _ in dead(journal.path)]
        assert 299 == len(set(end.got)) == len(end.got)
        assert in_order(end.got, 30)


def test_an_end_that_fails_with_500_for_all_holds_the_sink_and_makes_no_dead_letters(tmp_path: Path) -> None:
    ok = False
    retry = Retry(max_delay=0.1, give_up_after=1.0)
    with opened(tmp_path / "j.db") as journal, Receiver() as end:
        end.answer = lambda post: 200 if ok else 500
        ids = fill(journal, 60, 20)
        began = monotonic()
        with sending(journal, config(end.url, in_flight=4, retry=retry)) as worker:
            until(lambda: monotonic() - began > 1.5, "longer than give_up_after")
            assert (0, [], []) == (worker.state.waiting, end.got, dead(journal.path))
            ok = True
            drained(worker)
        assert sorted(ids) == sorted(end.got)
        assert in_order(end.got, 20)
