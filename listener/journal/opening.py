"""Finds out whose file stands at the journal's path, and whether it can be used. Called with the lock held.

| found | done |
|---|---|
| nothing, or an empty file | a new journal |
| ours | used; an older schema is migrated |
| ours, damaged, or with a log that ends early | moved aside and salvaged (recovery.py) |
| a newer schema, another application's, no SQLite, no file, read-only | JournalError; it is untouched |
"""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from listener.base.errors import JournalError
from listener.base.files import sync_directory
from listener.base.logs import get_logger
from listener.journal import recovery, wal
from listener.journal.database import NO_FILE, connect, create, is_damage, is_no_file
from listener.journal.tables import APPLICATION_ID, TABLES, migrate, newest

_MAGIC = b"SQLite format 3\0"
_NEWEST_ROWS = 16
OWN_FILE = "give journal.path a file of its own"
log = get_logger(__name__)


def prepare(path: Path) -> None:
    """Makes sure that `path` is a journal in today's schema. Raises JournalError."""
    recovery.finish(path)
    if is_no_file(path):
        raise JournalError(f"journal {path}: {NO_FILE}; it is left as it is", hint=OWN_FILE)
    if not path.exists() or path.stat().st_size == 0:
        _begin(path)
        return
    _check_header(path)
    if _lost_newest(path):
        recovery.recover(path, "its write-ahead log ends before a commit that was synced", lost_newest=True)
    elif damage := recovery.marked(path) or _damage(path):
        recovery.recover(path, damage)


def _begin(path: Path) -> None:
    if path.exists():
        log.warning("the journal's file is empty: a new journal is begun", path=str(path))
    else:
        log.info("a new journal is begun", path=str(path))
    recovery.move_aside(path)
    part = Path(f"{path}.new")
    create(part)
    os.rename(part, path)
    sync_directory(path.parent)


def _check_header(path: Path) -> None:
    """Reads the header before SQLite touches anything (https://sqlite.org/fileformat2.html#the_database_header)."""
    # "+" finds out whether we may write. No connection of this process may be open: closing this ends their locks.
    with path.open("r+b") as file:
        header = file.read(100)
    if len(header) < 100 or not header.startswith(_MAGIC):
        raise JournalError(
            f"journal {path}: not an SQLite database; it is left as it is",
            hint=f"move it away, or {OWN_FILE}",
        )
    if int.from_bytes(header[68:72], "big") != APPLICATION_ID:
        raise JournalError(
            f"journal {path}: a database of another application; it is left as it is",
            hint=OWN_FILE,
        )
    _check_version(path, int.from_bytes(header[60:64], "big"))


def _check_version(path: Path, version: int) -> None:
    if version > newest():
        raise JournalError(
            f"journal {path}: written by a newer helpdesk-listen (schema {version}, this one knows {newest()})",
            hint="upgrade helpdesk-listen; the file is left as it is",
        )


def _lost_newest(path: Path) -> bool:
    """Returns whether SQLite ignores the end of the log. A read-only connection leaves the log as it is."""
    known = wal.known_frames(path)
    with suppress(sqlite3.Error):  # `_damage` will say
        with closing(connect(path, "ro")) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            valid, _ = wal.known_frames(path)
        return wal.ends_early(path, valid, known)
    return False


def _damage(path: Path) -> str:
    """Takes a quick look at the file; returns what is broken, or ""."""
    try:
        with closing(connect(path)) as connection:
            _check_version(path, connection.execute("PRAGMA user_version").fetchone()[0])
            migrate(connection)
            known = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")}
            if missing := [name for name in TABLES if name not in known]:
                return f"no table {', '.join(missing)}"
            for table in TABLES:
                connection.execute(f"SELECT * FROM {table} ORDER BY 1 DESC LIMIT {_NEWEST_ROWS}").fetchall()  # noqa: S608 our own names
    except sqlite3.Error as e:
        if is_damage(e):
            return str(e)
        raise JournalError(f"journal {path}: {e}", hint="check the file, its owner and the disk") from e
    return ""
