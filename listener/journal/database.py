"""Opens connections to the SQLite file, and tells what SQLite's errors mean."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal

from listener.journal.tables import migrate

SYNCHRONOUS = "FULL"  # in WAL mode, a sync of the WAL at each commit: what the ack stands for
BODY_OVERHEAD = 64  # bytes that a row takes beside its payload; tables.py's totals count with it, too
NO_FILE = "a pipe, device or directory, not a file"
BUSY_SECONDS = 2.0  # at most, while another process of ours writes
_SQLITE_FULL, _SQLITE_CORRUPT, _SQLITE_NOTADB = 13, 11, 26  # primary result codes


def connect(path: Path, mode: Literal["rw", "ro"] = "rw") -> sqlite3.Connection:
    """Returns a connection in autocommit mode: each BEGIN and COMMIT stands in the code. For one thread at a time."""
    if is_no_file(path):
        raise sqlite3.OperationalError(NO_FILE)  # SQLite would wait for whoever writes to a pipe
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=BUSY_SECONDS,
        cached_statements=64,
    )
    try:
        connection.execute(f"PRAGMA synchronous={SYNCHRONOUS}")
        connection.execute("PRAGMA cache_size=-250")  # KiB
        connection.execute("PRAGMA wal_autocheckpoint=0")  # checkpoint.py does it, beside the commits
        connection.execute("PRAGMA secure_delete=ON")  # what expires or is erased is overwritten with zeros
    except BaseException:
        connection.close()
        raise
    return connection


def is_no_file(path: Path) -> bool:
    """Returns whether something else than a file stands at the path, or at the end of the link that does."""
    return path.exists() and not path.is_file()


def create(path: Path) -> None:
    """Makes an empty journal, readable by its owner only, over whatever an interrupted attempt has left."""
    path.unlink(missing_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    with closing(connect(path)) as connection:
        migrate(connection)
        connection.execute("PRAGMA journal_mode=WAL")  # last, so that the file's header is whole without a WAL


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Runs its block between BEGIN IMMEDIATE and COMMIT, with a ROLLBACK on whatever is raised."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def bodies_bytes(connection: sqlite3.Connection) -> int:
    """Returns the bytes that `max_size` bounds: all payloads of events that are kept, and BODY_OVERHEAD for each."""
    return int(connection.execute("SELECT value FROM totals WHERE name='bodies'").fetchone()[0])


def is_damage(error: BaseException) -> bool:
    """Returns whether SQLite says that the file itself is broken, as opposed to the disk, a lock or a statement."""
    return _code(error) in (_SQLITE_CORRUPT, _SQLITE_NOTADB)


def is_full(error: BaseException) -> bool:
    """Returns whether SQLite says that the disk has no room."""
    return _code(error) == _SQLITE_FULL


def _code(error: BaseException) -> int:
    """Returns the primary result code, 0 where the error is not SQLite's own."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF
