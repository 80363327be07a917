"""Events that wait for a retry and are discarded: those named leave, their tickets go on, what is attempted stays."""

from listener.delivery.retry_queue import RetryQueue
from listener.journal.waiting import Waiting


def _queue() -> RetryQueue:
    return RetryQueue([Waiting(1, "a", 3, 1, 1), Waiting(2, "b", 1, 1, 1), Waiting(3, "a"), Waiting(4, "a")])


def test_the_named_ones_leave_and_the_next_of_the_ticket_has_its_turn() -> None:
    queue = _queue()
    assert [1, 3] == [row.seq for row in queue.withdraw([1, 3, 99])]
    assert {2, 4} == queue.seqs
    head = queue.take(now_ms=10, longest_ms=10)
    assert head is not None
    assert 4 == head.seq


def test_what_is_being_attempted_stays() -> None:
    queue = _queue()
    head = queue.take(now_ms=10, longest_ms=10)
    assert head is not None
    assert [2, 3, 4] == sorted(row.seq for row in queue.withdraw(None))
    assert (True, False) == ("a" in queue, "b" in queue)
    queue.leave("a")
    assert 0 == len(queue)
