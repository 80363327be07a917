"""Events that wait for a retry are discarded: their tickets go on, and what is being attempted goes if that fails."""

import threading
from concurrent.futures import Future
from pathlib import Path

import pytest

from listener.delivery.retry_queue import RetryQueue
from listener.journal.waiting import Waiting
from tests.journal.keeping import opened, rows, until
from tests.network.receiving import Post, Receiver
from tests.network.sending import config, fill, sending


def _queue() -> RetryQueue:
    return RetryQueue([Waiting(1, "a", 3, 1, 1), Waiting(2, "b", 1, 1, 1), Waiting(3, "a"), Waiting(4, "a")])


def test_the_named_ones_leave_and_the_next_of_the_ticket_has_its_turn() -> None:
    queue = _queue()
    assert [1, 3] == [row.seq for row in queue.withdraw([1, 3, 99])]
    assert {2, 4} == queue.seqs
    head = queue.take(now_ms=10, longest_ms=10)
    assert head is not None
    assert 4 == head.seq


def test_what_is_being_attempted_is_not_withdrawn() -> None:
    queue = _queue()
    head = queue.take(now_ms=10, longest_ms=10)
    assert head is not None
    assert [2, 3, 4] == sorted(row.seq for row in queue.withdraw(None))
    assert (True, False) == ("a" in queue, "b" in queue)
    queue.leave("a")
    assert 0 == len(queue)


@pytest.mark.parametrize("status", [200, 422, 500])
def test_what_is_being_attempted_goes_for_good_where_that_fails(tmp_path: Path, status: int) -> None:
    holds, under_way, goes_on = threading.Event(), threading.Event(), threading.Event()

    def answer(post: Post) -> int:
        if post.ids != ["e0"]:
            return 200
        if not holds.is_set():
            return 500
        under_way.set()
        goes_on.wait(60)
        return status

    with opened(tmp_path / "j.db") as journal, Receiver(answer) as end:
        fill(journal, 5, 5)
        with sending(journal, config(end.url)) as worker:
            until(lambda: worker.state.waiting == 1, "it waits for a retry")
            holds.set()
            assert under_way.wait(60)
            counted: Future[tuple[int, int]] = Future()
            worker.decide(lambda verdicts: counted.set_result((verdicts.discard(None), verdicts.discard(None))))
            assert (1, 0) == counted.result(60)
            goes_on.set()
            until(lambda: worker.state.waiting == 0, "it is gone")
        assert (status == 200) == ("e0" in end.got)
        assert [] == rows(journal.path, "SELECT seq FROM dead_letters")
        assert [] == rows(journal.path, "SELECT seq FROM waiting")
