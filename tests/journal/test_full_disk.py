"""A disk without room: events are refused, nothing that was acked is lost, and all goes on once there is room."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from listener.base.errors import JournalError
from listener.journal import Cursor
from tests.journal.keeping import ids, keep, keep_ids, opened, payload, settle
from tests.small_disk import SmallDisk, small_disk

BIG = "x" * 50_000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk") as disk:
        yield disk


def test_refused_while_the_disk_is_full_and_kept_again_afterwards(disk: SmallDisk) -> None:
    with opened(disk.path / "j.db") as journal:
        journal.attach([("archive", True)])
        assert [200] == keep_ids(journal, "before")
        disk.fill()
        for _ in range(3):
            assert [500] == keep(journal, payload("during", text=BIG))
        assert "full" in str(journal.writer.failing)
        assert ["before"] == ids(journal.read(0, 10))

        disk.empty()
        assert [200, 200] == keep(journal, payload("during", text=BIG), payload("after"))
        assert None is journal.writer.failing
        assert ["before", "during", "after"] == ids(journal.read(0, 10))
    with opened(disk.path / "j.db") as journal:
        assert ["before", "during", "after"] == ids(journal.read(0, 10))


def test_every_amount_of_room_that_is_too_little(disk: SmallDisk) -> None:
    """The disk runs full at each page of what a commit writes; never is anything acked lost, or refused kept."""
    with opened(disk.path / "j.db") as journal:
        acked: list[str] = []
        for leave in range(0, 20 * 4096, 4096):
            disk.fill(leave)
            code = keep(journal, payload(f"{leave}", text=BIG))
            acked += [f"{leave}"] if code == [200] else []
            assert acked == ids(journal.read(0, 100))
            disk.empty()
            assert [200] == keep_ids(journal, f"after {leave}")
            acked.append(f"after {leave}")
    assert 20 < len(acked) < 40
    with opened(disk.path / "j.db") as journal:
        assert acked == ids(journal.read(0, 100))


def test_what_must_be_on_disk_says_so_when_it_is_not(disk: SmallDisk) -> None:
    with opened(disk.path / "j.db") as journal:
        journal.attach([("archive", True)])
        keep_ids(journal, "a")
        disk.fill()
        with pytest.raises(JournalError, match="full"):
            journal.dead_letter("archive", 1, "x" * 1000, 1, Cursor(1))
        disk.empty()
        journal.dead_letter("archive", 1, "x" * 1000, 1, Cursor(1))
        journal.flush()


def test_a_cursor_waits_for_room(disk: SmallDisk) -> None:
    with opened(disk.path / "j.db") as journal:
        journal.attach([("archive", True)])
        keep_ids(journal, "a")
        disk.fill()
        journal.advance("archive", Cursor(1, "here"))
        settle(journal)
        disk.empty()
        journal.flush()
    with opened(disk.path / "j.db") as journal:
        assert {"archive": Cursor(1, "here")} == journal.attach([("archive", True)])


def test_a_start_on_a_full_disk_refuses_events_instead_of_the_start(disk: SmallDisk) -> None:
    with opened(disk.path / "j.db") as journal:
        journal.attach([("archive", True)])
        keep_ids(journal, "a")
    disk.fill(leave=40 * 1024)  # SQLite's shared memory is a file of 32 KiB
    with opened(disk.path / "j.db") as journal:
        assert {"archive": Cursor(0)} == journal.attach([("archive", True)])
        assert ["a"] == ids(journal.read(0, 10))
        assert [500] == keep(journal, payload("b", text=BIG))
        disk.empty()
        assert [200] == keep(journal, payload("b", text=BIG))


def test_without_a_small_disk_a_limit_on_pages_does_the_same(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal:
        assert [200] == keep_ids(journal, "before")
        journal.writer._connection.execute("PRAGMA max_page_count=30")
        assert [500] == keep(journal, *[payload("during", text="x" * 500_000)])
        journal.writer._connection.execute("PRAGMA max_page_count=100000")
        assert [200] == keep(journal, *[payload("during", text="x" * 500_000)])
        assert ["before", "during"] == ids(journal.read(0, 10))
