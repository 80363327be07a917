"""A journal that is full, and how room is made: of what is delivered, whatever its size, with the real pace."""

from pathlib import Path

import pytest

from listener.journal import Cursor, Journal, Pending
from tests.journal.keeping import archiving, bodies, deliver_all, ids, keep, keep_ids, payload, rows, until

BIG = "x" * 20_000
MIB = 2**20


def fill(journal: Journal, most: int = 500) -> list[str]:
    """Events until one is refused; the ids of those that were kept."""
    kept: list[str] = []
    for number in range(most):
        if keep(journal, payload(f"fill{number}", text=BIG)) != [200]:
            return kept
        kept.append(f"fill{number}")
    return kept


def test_full_of_undelivered_events_refuses_new_ones_until_there_is_room(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with archiving(tmp_path / "j.db", max_size=MIB) as journal:
        kept = fill(journal)
        assert 20 < len(kept) < 500
        assert journal.retention.is_full
        assert [500, 200] == keep(journal, payload("new"), payload(kept[0], text=BIG))  # duplicates need no room
        assert [500, 500] == keep(journal, payload("twice"), payload("twice"))  # no ack for what is not there
        assert [200, 200] == keep(journal, b"hello", b"hello")  # their share is their own
        assert kept == ids(journal.read(0, 1000))

        journal.advance("archive", Cursor(len(kept)))
        until(lambda: not journal.retention.is_full, "there is room")
        assert [200] == keep_ids(journal, "new")
    told = capsys.readouterr().out
    assert 1 == told.count("the journal is full")
    assert 1 == told.count("the journal has room again")


def test_new_events_wait_for_the_room_that_a_sink_is_making(tmp_path: Path) -> None:
    with archiving(tmp_path / "j.db", max_size=MIB) as journal:
        delivered = len(fill(journal)) // 2
        journal.advance("archive", Cursor(delivered))
        answers: list[int] = []
        journal.writer.on_settled = lambda batch: answers.extend(one.code for one in batch)
        many = [Pending(payload(f"e{n}", text=BIG), f"e{n}", "t") for n in range(60)]
        for one in many:
            journal.append(one)
        while len(answers) < len(many) and delivered < journal.last_seq:  # the sink goes on, event by event
            delivered += 1
            journal.advance("archive", Cursor(delivered))
            journal.flush()
        until(lambda: len(answers) == len(many), "each is answered")
        assert {200} == set(answers)


def test_new_events_wait_no_longer_than_a_sink_makes_room(tmp_path: Path) -> None:
    with archiving(tmp_path / "j.db", max_size=MIB) as journal:
        kept = fill(journal)
        journal.advance("archive", Cursor(3))
        codes = keep(journal, *(payload(f"e{n}", text=BIG) for n in range(40)))
        assert 200 in codes
        assert 500 in codes
        assert journal.retention.is_full
        assert len(kept) + codes.count(200) == journal.last_seq


def test_room_is_made_of_what_is_delivered_the_oldest_first_and_nothing_is_refused(tmp_path: Path) -> None:
    with archiving(tmp_path / "j.db", max_size=MIB) as journal:
        for number in range(300):
            assert [200] == keep(journal, payload(f"e{number}", text=BIG)), number
            journal.advance("archive", Cursor(journal.last_seq))
        left = bodies(journal)
        assert [f"e{n}" for n in range(300 - len(left), 300)] == left
        assert [200] == keep(journal, payload("e0", text=BIG))  # its id is not forgotten
        assert 300 == journal.last_seq


def test_room_is_made_in_the_middle_of_a_burst(tmp_path: Path) -> None:
    """With thousands of rows that have no body any more before those that have."""
    with archiving(tmp_path / "j.db", max_size=4 * MIB) as journal:
        keep_ids(journal, *(f"small{n}" for n in range(1000)))
        deliver_all(journal)
        journal.do(lambda connection: connection.execute("DELETE FROM bodies") and None)
        for number in range(300):
            assert [200] == keep(journal, payload(f"e{number}", text=BIG)), number
            journal.advance("archive", Cursor(journal.last_seq))


@pytest.mark.parametrize("size", [300, 2_000, 20_000])
def test_a_small_journal_takes_whatever_comes_while_its_sink_keeps_up(tmp_path: Path, size: int) -> None:
    """With the retention's real pace: room comes back whatever the bodies' size, and pages are used again."""
    with archiving(tmp_path / "j.db", max_size=MIB) as journal:
        for number in range(0, 3000, 20):
            burst = [payload(f"e{n}", text="x" * size) for n in (*range(number, number + 20), number)]
            assert {200} == set(keep(journal, *burst)), number
            journal.advance("archive", Cursor(journal.last_seq))
        assert 3000 == journal.last_seq
        ((pages,),) = rows(journal.path, "SELECT count(*) * 4096 FROM dbstat WHERE name = 'bodies'")
        assert pages < 2.5 * MIB


def test_a_duplicate_in_a_full_journal_takes_no_room_away(tmp_path: Path) -> None:
    """The room that was made for a batch is rolled back when a duplicate begins it anew; so must be its memory."""
    with archiving(tmp_path / "j.db", max_size=MIB) as journal:
        for number in range(300):
            journal.advance("archive", Cursor(journal.last_seq))
            assert [200, 200] == keep(journal, payload(f"e{number}", text=BIG), payload("e0", text=BIG)), number
        assert 300 == journal.last_seq


def test_quarantine_has_a_share_of_its_own_which_the_oldest_leave(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with archiving(tmp_path / "j.db", max_size=MIB) as journal:
        for number in range(100):
            assert [200] == keep(journal, b"%04d" % number + b"?" * 2000)
        first = [one[:4] for (one,) in rows(journal.path, "SELECT payload FROM aside ORDER BY id")]
        assert [b"%04d" % number for number in range(100 - len(first), 100)] == first
        assert len(first) * 2064 <= MIB // 8 < (len(first) + 1) * 2068
        assert [(100 - len(first),)] == rows(journal.path, "SELECT value FROM totals WHERE name='aside_left'")
    assert "the oldest left it" in capsys.readouterr().out
