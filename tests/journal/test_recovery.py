"""A journal that is ours but damaged: nothing that can be read is lost, nothing is deleted, and it is told."""

import os
import random
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from listener.base.errors import JournalError
from listener.journal import Cursor, Journal, enrichment, recovery
from listener.journal.enrichment import Enriched
from tests.journal.keeping import ids, keep, keep_ids, opened, payload, rows, until

PAGE = 4096
COUNT = 400


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal of COUNT events, cleanly closed, with a cursor at 100."""
    with opened(tmp_path / "j.db") as journal:
        journal.attach([("archive", True)])
        keep(journal, *[payload(f"e{n}") for n in range(COUNT)])
        journal.advance("archive", Cursor(100, "here"))
    return tmp_path / "j.db"


def spoil(path: Path, *pages: int) -> None:
    """Pages count from 1 (https://sqlite.org/fileformat2.html#pages)."""
    with path.open("r+b") as file:
        for page in pages:
            file.seek((page - 1) * PAGE)
            file.write(random.Random(page).randbytes(PAGE))


def root(path: Path, name: str) -> int:
    return int(rows(path, "SELECT rootpage FROM sqlite_master WHERE name=?", name)[0][0])


def aside(path: Path) -> list[Path]:
    return [p for p in path.parent.iterdir() if p.name.startswith(f"{path.name}.damaged-")]


def check_goes_on(journal: Journal) -> None:
    """New events are kept, after the old ones."""
    last = journal.last_seq
    assert [200] == keep_ids(journal, "new")
    assert last + 1 == journal.last_seq


def test_a_spoiled_page_costs_only_what_stood_there(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pages = path.stat().st_size // PAGE
    spoil(path, pages)  # a leaf of the newest events: seen by the first look
    before = path.read_bytes()

    with opened(path) as journal:
        found = ids(journal.read(0, COUNT))
        check_goes_on(journal)
        assert {"archive": Cursor(100, "here")} == journal.attach([("archive", False)])

    assert COUNT - 10 < len(found) < COUNT
    assert found == sorted(found, key=lambda name: int(name[1:]))
    assert [before] == [file.read_bytes() for file in aside(path)]
    told = capsys.readouterr().out
    assert "the journal is damaged" in told
    assert "the journal was salvaged" in told


@pytest.mark.parametrize("step", [41, pytest.param(3, marks=pytest.mark.slow)])
def test_any_page_may_be_spoiled(path: Path, tmp_path: Path, step: int) -> None:
    """A start either works as ever, or recovers; none fails, and no event that is left is changed."""
    keys = {f"e{n}" for n in range(COUNT)}
    for page in range(2, path.stat().st_size // PAGE + 1, step):
        copy = tmp_path / str(page) / "j.db"
        copy.parent.mkdir()
        shutil.copy(path, copy)
        spoil(copy, page)
        recovery.mark(copy, "for this test")
        with opened(copy) as journal:
            events = journal.read(0, COUNT)
            assert {event.event_id for event in events} <= keys
            assert all(payload(event.event_id) == event.payload for event in events)
            check_goes_on(journal)


@pytest.mark.parametrize("size", [100, 512, PAGE, PAGE + 1, 10 * PAGE, 40 * PAGE + 77])
def test_a_truncated_file_is_salvaged(path: Path, size: int) -> None:
    os.truncate(path, size)
    with opened(path) as journal:
        assert len(journal.read(0, COUNT)) < COUNT
        check_goes_on(journal)
    assert [size] == [file.stat().st_size for file in aside(path)]


def test_only_the_header_is_left(path: Path) -> None:
    spoiled = path.read_bytes()[:100] + os.urandom(path.stat().st_size - 100)
    path.write_bytes(spoiled)
    with opened(path) as journal:
        assert [] == journal.read(0, COUNT)
        assert journal.last_seq >= recovery.GAP  # no number twice, though none is known
        check_goes_on(journal)
    assert [spoiled] == [file.read_bytes() for file in aside(path)]


def test_sinks_get_everything_again_where_no_cursor_can_be_read(path: Path) -> None:
    spoil(path, root(path, "cursors"))
    with opened(path) as journal:
        assert {"archive": Cursor(0), "other": Cursor(0)} == journal.attach([("archive", False), ("other", False)])
        assert COUNT == len(journal.read(0, COUNT))
    with opened(path) as journal:  # a new sink of later days is a new sink
        assert {"later": Cursor(COUNT)} == journal.attach([("later", False)])


def test_ids_that_are_lost_are_made_anew_of_the_events(path: Path) -> None:
    spoil(path, root(path, "ids"))
    recovery.mark(path, "for this test")
    with opened(path) as journal:
        assert [200] == keep_ids(journal, "e7")
        assert COUNT == journal.last_seq
        assert COUNT == len(journal.read(0, 2 * COUNT))


def test_a_table_that_is_gone_is_made_anew(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("DROP TABLE orders; PRAGMA wal_checkpoint(TRUNCATE);")
    with opened(path) as journal:
        assert COUNT == len(journal.read(0, COUNT))
        assert None is journal.next_redelivery("archive")


def test_dead_letters_orders_and_what_is_aside_are_salvaged_too(path: Path) -> None:
    with opened(path) as journal:
        keep(journal, b"hello")
        journal.dead_letter("archive", 101, "no", 1, Cursor(101))
        journal.do(lambda c: c.execute("INSERT INTO orders VALUES (7, 'archive', 'replay', 0, 9, 0, 5, 0)") and None)
    recovery.mark(path, "for this test")
    with opened(path):
        pass
    assert [("archive", 101, "no")] == rows(path, "SELECT sink, seq, reason FROM dead_letters")
    assert [(b"hello",)] == rows(path, "SELECT payload FROM aside")
    assert [(7, "archive")] == rows(path, "SELECT id, sink FROM orders")


def test_an_event_whose_fetched_ticket_is_lost_goes_out_with_no_other(path: Path) -> None:
    """The ids of tickets begin anew where their table is lost."""
    with opened(path) as journal:
        fetched = [Enriched(101, 1, b""), Enriched(102, 1, b'{"attachments":[]}')]
        journal.do(lambda connection: enrichment.store(connection, 102, fetched, {1: b'{"ticket_id":"of 101"}'}))
    spoil(path, root(path, "details"))
    recovery.mark(path, "for this test")
    with opened(path) as journal:
        new = journal.ask(enrichment.last_detail) + 1
        journal.do(
            lambda connection: enrichment.store(
                connection, 103, [Enriched(103, new, b"")], {new: b'{"ticket_id":"of 103"}'}
            )
        )
        found = journal.ask(lambda connection: enrichment.added(connection, [101, 102, 103]))
    assert {101: b"", 102: b'{"attachments":[]}', 103: b'{"ticket_detail":{"ticket_id":"of 103"}}'} == found


def test_a_payload_that_became_another_is_kept_aside(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE bodies SET payload=? WHERE seq=5", (payload("somebody else"),))
        connection.execute("UPDATE bodies SET payload=? WHERE seq=6", (b"\0\0\0",))
        connection.commit()
    recovery.mark(path, "for this test")
    with opened(path) as journal:
        assert COUNT - 2 == len(journal.read(0, COUNT))
    assert [(payload("somebody else"),), (b"\0\0\0",)] == rows(path, "SELECT payload FROM aside ORDER BY id")


@pytest.mark.parametrize("step", ["salvaged", "moved", "named"])
def test_a_crash_in_the_middle_of_a_recovery_loses_nothing(
    path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crash(BaseException):
        pass

    at = {"salvaged": 1, "moved": 2, "named": 3}[step]
    rename, calls = os.rename, iter(range(1, 100))

    def dying(source: Path, target: Path) -> None:
        if next(calls) == at:
            raise Crash
        rename(source, target)

    recovery.mark(path, "for this test")
    with monkeypatch.context() as patch:
        patch.setattr("listener.journal.recovery.os.rename", dying)
        with pytest.raises(Crash):
            Journal(path)
    with opened(path) as journal:
        assert COUNT == len(journal.read(0, COUNT))
        check_goes_on(journal)
    assert aside(path)


def test_no_room_for_the_salvage_leaves_the_file_as_it_is(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    before = path.read_bytes()
    recovery.mark(path, "for this test")
    with monkeypatch.context() as patch:
        patch.setattr(recovery, "_salvage", no_room)
        with pytest.raises(JournalError, match=r"could not be salvaged.*full"):
            Journal(path)
    assert before == path.read_bytes()
    with opened(path) as journal:
        assert COUNT == len(journal.read(0, COUNT))


def test_damage_deep_inside_is_found_in_the_background_and_mended_by_the_next_start(path: Path) -> None:
    spoil(path, 3 * path.stat().st_size // PAGE // 4)
    told: list[BaseException] = []
    with opened(path, inspect_after=0.0) as journal:
        journal.writer.on_broken = told.append
        until(lambda: told, "the damage is found")
    assert isinstance(told[0], JournalError)
    assert "start again" in told[0].hint

    with opened(path, inspect_after=0.0) as journal:
        check_goes_on(journal)
    assert aside(path)
    assert "" == recovery.marked(path)


def test_stumbling_over_damage_has_the_file_checked(path: Path) -> None:
    told = threading.Event()
    with opened(path) as journal:
        journal.writer.on_broken = lambda error: told.set()
        spoil(path, *range(4, path.stat().st_size // PAGE))
        with pytest.raises(JournalError, match="malformed"):
            journal.read(0, COUNT)
        assert told.wait(60)


def test_a_sound_journal_is_found_sound(path: Path) -> None:
    told: list[BaseException] = []
    with opened(path, inspect_after=0.0) as journal:
        journal.writer.on_broken = told.append
        until(lambda: journal._checker._next is None, "the check is over")
    assert [] == told
