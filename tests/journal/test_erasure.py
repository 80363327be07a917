"""What was erased or has expired is in no file of the journal any more, while it is in use and after."""

import os
import threading
import time
from pathlib import Path

import pytest

from listener.journal import Cursor, Journal, erasure
from listener.journal.reading import reading
from listener.journal.redelivery import beside_daemon
from tests.journal.keeping import archiving, bodies, deliver_all, keep, keep_ids, known, opened, payload, rows, until

MARKER = "a-text-that-must-go"
LARGE = MARKER * 3000  # over many pages


def holding(directory: Path) -> list[str]:
    """The files there in which the marker stands."""
    return [path.name for path in sorted(directory.iterdir()) if MARKER.encode() in path.read_bytes()]


def of_ticket(path: Path, ticket_id: str) -> erasure.Found:
    with reading(path) as connection:
        return erasure.found(connection, ticket_id, erasure.of_ticket(connection, ticket_id))


def ticket(event_id: str, ticket_id: str, text: str) -> bytes:
    return payload(event_id, text=text, ticket={"ticket_id": ticket_id})


def keep_some(journal: Journal) -> None:
    keep(journal, *(ticket(f"other{n}", "7", "hello" * n) for n in range(40)))
    keep(journal, ticket("small", "8", MARKER), ticket("large", "8", LARGE))
    keep(journal, *(ticket(f"later{n}", "7", "hello" * n) for n in range(40)))


def test_a_ticket_leaves_no_byte_while_the_journal_is_in_use(tmp_path: Path) -> None:
    with archiving(tmp_path / "j.db") as journal:
        keep_some(journal)
        journal.dead_letter("archive", 41, MARKER, 1, Cursor(41))
        deliver_all(journal)
        used = journal.retention.used
        found = of_ticket(journal.path, "8")
        assert [41, 42] == found.seqs
        assert holding(tmp_path)
        beside_daemon(journal.path, lambda connection: erasure.erase(connection, found))
        until(lambda: holding(tmp_path) == [], "no file holds it")
        with reading(journal.path) as connection:
            until(lambda: erasure.is_taken(connection), "it is taken note of")
        assert 80 == len(bodies(journal))
        assert [] == rows(journal.path, "SELECT * FROM dead_letters")
        assert ["small", "large"] == known(journal, "small", "large")
        assert [200] == keep(journal, ticket("large", "8", LARGE))  # the platform repeats it: a duplicate
        assert [] == holding(tmp_path)
        assert used - len(LARGE) > journal.retention.used > 0
        ((bytes_of_bodies,),) = rows(journal.path, "SELECT sum(length(payload) + 64) FROM bodies")
        until(lambda: journal.retention.used == bytes_of_bodies, "the sum is right")
    assert [] == holding(tmp_path)


def test_a_ticket_leaves_no_byte_where_no_daemon_runs(tmp_path: Path) -> None:
    with archiving(tmp_path / "j.db") as journal:
        keep_some(journal)
    with opened(tmp_path / "j.db") as journal:
        found = of_ticket(journal.path, "8")
        journal.do(lambda connection: erasure.erase(connection, found))
    assert [] == holding(tmp_path)


@pytest.mark.parametrize("stopped", [False, True])
def test_what_has_expired_leaves_no_byte(tmp_path: Path, stopped: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.time_ns
    with archiving(tmp_path / "j.db", keep_s=60) as journal:
        keep_some(journal)
        deliver_all(journal)
        monkeypatch.setattr(time, "time_ns", lambda: real() + 61 * 10**9)
        journal.retention.look_soon()
        until(lambda: bodies(journal) == [], "they have left")
        if not stopped:
            until(lambda: holding(tmp_path) == [], "no file holds it")
    assert [] == holding(tmp_path)


def test_somebody_who_reads_holds_the_cleaning_up_and_nothing_else(tmp_path: Path) -> None:
    with archiving(tmp_path / "j.db") as journal:
        keep_some(journal)
        deliver_all(journal)
        found = of_ticket(journal.path, "8")
        with reading(journal.path) as viewer:
            viewer.execute("BEGIN")
            viewer.execute("SELECT count(*) FROM events").fetchone()
            beside_daemon(journal.path, lambda connection: erasure.erase(connection, found))
            began = time.monotonic()
            assert [200] * 20 == [keep_ids(journal, f"new{n}")[0] for n in range(20)]
            assert time.monotonic() - began < 10
        until(lambda: holding(tmp_path) == [], "no file holds it")


def test_a_person_is_found_wherever_it_is_named(tmp_path: Path) -> None:
    with archiving(tmp_path / "j.db") as journal:
        keep(journal, payload("agent", ticket={"ticket_id": "1", "agent_owner": {"id": "ou_someone"}}))
        keep(journal, payload("escaped", text="ou_someone").replace(b"ou_someone", rb"ou_s\u006fmeone"))
        keep(journal, payload("nobody", text="ou_another"))
        keep(journal, b'{"broken": "ou_someone')
        with reading(journal.path) as connection:
            found = erasure.found(connection, "ou_someone", erasure.of_person(connection, "ou_someone"))
    assert [1, 2] == found.seqs
    assert [1] == found.quarantined


def test_a_small_journal_that_prunes_all_the_time_is_cleaned_now_and_then_only(tmp_path: Path) -> None:
    """A log that is cut to nothing after each commit would cost two syncs more, each time."""
    with archiving(tmp_path / "j.db", max_size=2**20) as journal:
        cleaned: list[bool] = []
        real, lock = journal.retention.log_cleaned, threading.Lock()

        def counted(connection: object, whole: bool) -> None:
            with lock:
                cleaned.append(whole)
            real(connection, whole)  # type: ignore[arg-type]

        journal.retention.log_cleaned = counted  # type: ignore[method-assign]
        for number in range(300):
            keep(journal, ticket(f"e{number}", "7", os.urandom(5000).hex()))
            deliver_all(journal)
        assert len(cleaned) <= 2
