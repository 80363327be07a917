"""The SQLite file: schema, connections, and whose it is. Everything of sqlite3 that can fail at opening fails here."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from listener.errors import JournalError

APPLICATION_ID = 0x48444C31  # "HDL1"
VERSION = 1
BUSY_SECONDS = 2.0  # another process of ours writes an order
_SCHEMA = f"""
BEGIN;
CREATE TABLE events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  event_id TEXT NOT NULL UNIQUE,
  event_type TEXT NOT NULL,
  received_ms INTEGER NOT NULL,
  payload BLOB
);
CREATE TABLE cursors (
  sink TEXT PRIMARY KEY, seq INTEGER NOT NULL, position TEXT NOT NULL, updated_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE dead_letters (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  sink TEXT NOT NULL, seq INTEGER NOT NULL, reason TEXT NOT NULL, attempts INTEGER NOT NULL, at_ms INTEGER NOT NULL,
  UNIQUE (sink, seq)
);
CREATE INDEX dead_letters_by_seq ON dead_letters (seq);
CREATE TABLE aside (
  id INTEGER PRIMARY KEY AUTOINCREMENT, received_ms INTEGER NOT NULL, reason TEXT NOT NULL, payload BLOB NOT NULL
);
CREATE TABLE orders (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  sink TEXT NOT NULL, kind TEXT NOT NULL, since_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL, event_id TEXT,
  last_seq INTEGER NOT NULL, done_seq INTEGER NOT NULL, started INTEGER NOT NULL DEFAULT 0, at_ms INTEGER NOT NULL
);
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};
COMMIT;
"""


def connect(path: Path, *, create: bool = False) -> sqlite3.Connection:
    """A connection in autocommit mode, so that each BEGIN and COMMIT stands in the code. For one thread at a time."""
    uri = f"{path.absolute().as_uri()}?mode={'rwc' if create else 'rw'}"
    connection = sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, timeout=BUSY_SECONDS, cached_statements=64
    )
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA cache_size=-4000")  # KiB
    return connection


def create(path: Path) -> None:
    """A new journal, readable by its owner only."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with closing(connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(_SCHEMA)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """BEGIN IMMEDIATE … COMMIT, or ROLLBACK on whatever is raised."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def probe(path: Path) -> None:
    """A quick look at whose file this is and whether it can be read and written. Raises JournalError."""
    try:
        with closing(connect(path)) as connection:
            application, version = (
                connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
            )
            _check_owner(path, application, version)
            connection.execute("SELECT * FROM events ORDER BY seq DESC LIMIT 16").fetchall()
            with transaction(connection):
                connection.execute("UPDATE cursors SET seq=seq WHERE sink=''")
    except sqlite3.Error as e:
        raise JournalError(f"journal {path}: {e}", hint="check the file, its owner and the disk") from e


def _check_owner(path: Path, application: int, version: int) -> None:
    if application != APPLICATION_ID:
        raise JournalError(
            f"journal {path}: a database, but not of helpdesk-listen", hint="give journal.path a file of its own"
        )
    if version > VERSION:
        raise JournalError(
            f"journal {path}: written by a newer helpdesk-listen (schema {version}, this one knows {VERSION})",
            hint="upgrade helpdesk-listen; the file is untouched",
        )


class Lock:
    """One daemon a journal. The file stays, the kernel frees the lock when the process ends, however it ends."""

    def __init__(self, journal: Path) -> None:
        self._fd = os.open(f"{journal}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._fd)
            raise JournalError(
                f"{journal}: another helpdesk-listen (pid {holder}) uses this journal",
                hint="stop it first, or give this one a journal.path of its own",
            ) from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        os.close(self._fd)
