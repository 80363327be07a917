"""Whatever stands at the journal's path: never a silent new beginning, never a touch of what is not ours."""

import os
import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from listener.base.errors import EX_IOERR, JournalError
from listener.journal import Journal, tables
from listener.journal.inspect import read_state
from listener.journal.reading import reading
from tests.journal.keeping import ids, keep_ids, opened, rows


def database(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


def text(path: Path) -> None:
    path.write_text("Dear diary, today I was opened as a database.\n" * 100, encoding="utf-8")


def random_bytes(path: Path) -> None:
    path.write_bytes(os.urandom(50_000))


def a_few_bytes(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0")


def foreign(path: Path) -> None:
    database(path, "CREATE TABLE events (seq); INSERT INTO events VALUES (1);")


def foreign_with_wal(path: Path) -> None:
    database(path, "PRAGMA application_id=7; PRAGMA journal_mode=WAL; CREATE TABLE t (x);")


def newer(path: Path) -> None:
    with opened(path) as journal:
        keep_ids(journal, "a")
    database(path, f"PRAGMA user_version={tables.newest() + 1}; PRAGMA wal_checkpoint(TRUNCATE);")


def directory(path: Path) -> None:
    path.mkdir()


NOT_OURS = {
    text: "not an SQLite database",
    random_bytes: "not an SQLite database",
    a_few_bytes: "not an SQLite database",
    foreign: "of another application",
    foreign_with_wal: "of another application",
    newer: "written by a newer helpdesk-listen",
}


@pytest.mark.parametrize("make", NOT_OURS)
def test_what_is_not_ours_is_refused_and_untouched(tmp_path: Path, make: object) -> None:
    path = tmp_path / "j.db"
    make(path)  # type: ignore[operator]
    before = path.read_bytes(), path.stat().st_mtime_ns, {p.name for p in tmp_path.iterdir()} - {"j.db.lock"}

    with pytest.raises(JournalError, match=NOT_OURS[make]) as refused:  # type: ignore[index]
        Journal(path)

    assert EX_IOERR == refused.value.exit_code
    assert refused.value.hint
    assert before == (path.read_bytes(), path.stat().st_mtime_ns, {p.name for p in tmp_path.iterdir()} - {"j.db.lock"})


def unix_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))


@pytest.mark.parametrize("make", [directory, os.mkfifo, unix_socket])
def test_what_is_no_file_is_refused_and_stays(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "j.db"
    make(path)
    before = path.lstat().st_ino
    with pytest.raises(JournalError, match="not a file"):
        Journal(path)
    with pytest.raises(JournalError, match="not a file"):
        read_state(path)
    with pytest.raises(JournalError, match="not a file"), reading(path):
        pass
    assert before == path.lstat().st_ino


def test_a_refused_journal_leaves_no_lock_behind(tmp_path: Path) -> None:
    text(tmp_path / "j.db")
    for _ in range(2):
        with pytest.raises(JournalError, match="not an SQLite database"):
            Journal(tmp_path / "j.db")


def test_an_empty_file_becomes_a_journal_and_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "j.db").touch(0o644)
    with opened(tmp_path / "j.db") as journal:
        assert [200] == keep_ids(journal, "a")
        assert 0o600 == journal.path.stat().st_mode & 0o777
    assert "the journal's file is empty" in capsys.readouterr().out


def test_a_wal_without_its_database_is_moved_aside(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    wal = b"the WAL of a journal that somebody deleted" * 1000
    Path(f"{path}-wal").write_bytes(wal)

    with opened(path) as journal:
        assert [200] == keep_ids(journal, "a")

    (aside,) = tmp_path.glob("j.db.damaged-*-wal")
    assert wal == aside.read_bytes()


def test_an_attempt_to_make_one_that_did_not_end_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / "j.db.new").write_bytes(b"half a journal")
    with opened(tmp_path / "j.db") as journal:
        assert [200] == keep_ids(journal, "a")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("what", ["file", "directory"])
def test_read_only_for_us_is_refused_and_untouched(tmp_path: Path, what: str) -> None:
    home = tmp_path / "home"
    with opened(home / "j.db") as journal:
        keep_ids(journal, "a")
    before = journal.path.read_bytes()
    for parent in home.parents:
        parent.chmod(parent.stat().st_mode | 0o011)
    os.chmod(f"{journal.path}.lock", 0o666)  # noqa: S103 so that it is not the lock that refuses
    journal.path.chmod(0o444 if what == "file" else 0o666)
    home.chmod(0o777 if what == "file" else 0o555)

    assert "JournalError" == as_nobody(journal.path)
    assert before == journal.path.read_bytes()


def as_nobody(path: Path) -> str:
    """What opening the journal raises in a process that is not root."""
    reader, writer = os.pipe()
    if (pid := os.fork()) == 0:
        try:
            os.setgid(65534)
            os.setuid(65534)
            Journal(path)
            os.write(writer, b"nothing")
        except BaseException as e:
            os.write(writer, type(e).__name__.encode())
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    os.close(writer)
    with open(reader, "rb") as answer:
        return answer.read().decode()


def older(path: Path, version: int) -> None:
    """A journal of this version of the schema, without events."""
    with closing(sqlite3.connect(path)) as connection:
        tables.migrate(connection, tables.MIGRATIONS[:version])


@pytest.mark.parametrize("version", range(1, tables.newest()))
def test_a_journal_of_any_older_schema_is_migrated(tmp_path: Path, version: int) -> None:
    older(tmp_path / "j.db", version)
    assert [(version,)] == rows(tmp_path / "j.db", "PRAGMA user_version")
    with opened(tmp_path / "j.db") as journal:
        assert [200] == keep_ids(journal, "a")
    with opened(tmp_path / "j.db") as journal:
        assert ["a"] == ids(journal.read(0, 10))
    assert [(tables.newest(),)] == rows(tmp_path / "j.db", "PRAGMA user_version")


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    older(path, tables.newest() - 1)
    before, last_of_its_tables = schema(path), "enriched"
    database(path, f"CREATE TABLE {last_of_its_tables} (mine TEXT)")
    with pytest.raises(JournalError, match=f"{last_of_its_tables} already exists"):
        Journal(path)
    database(path, f"DROP TABLE {last_of_its_tables}")
    assert before == schema(path)
    with opened(path) as journal:
        assert [200] == keep_ids(journal, "a")


def schema(path: Path) -> list[Any]:
    """The version and the tables."""
    return rows(path, "PRAGMA user_version") + rows(
        path, "SELECT name FROM sqlite_master WHERE type='table' ORDER BY 1"
    )
