"""Reads the journal's state from beside its writer: read-only, without the lock, whether a daemon runs or not."""

import fcntl
import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from listener.base.errors import JournalError
from listener.journal import backfills, calls
from listener.journal.backfills import Backfill, Gap
from listener.journal.database import bodies_bytes, connect

SHOWN = 5  # gaps and jobs


@dataclass(frozen=True, kw_only=True)
class JournalState:
    """The journal's state, as one read of it found. Sizes are in bytes, times in Unix milliseconds.

    By sink: `seqs` is how far it is, `dead_letters` how many it has, `oldest_ms` when its oldest undelivered event
    came.
    """

    used_bytes: int
    file_bytes: int
    disk_free_bytes: int
    last_seq: int
    last_event_ms: int | None
    unreadable: int
    unreadable_left: int
    seqs: dict[str, int] = field(default_factory=dict)
    dead_letters: dict[str, int] = field(default_factory=dict)
    oldest_ms: dict[str, int] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()
    backfills: tuple[Backfill, ...] = ()
    calls: dict[str, int] = field(default_factory=dict)
    halted: str = ""


def read_state(path: Path, seqs: Mapping[str, int] | None = None) -> JournalState:
    """Returns what `status` tells of a journal, from outside its daemon. Raises JournalError.

    `seqs` says how far the sinks are, where the caller knows better than their cursors.
    """
    try:
        with closing(connect(path, "ro")) as connection:
            return _read_state(connection, path, seqs)
    except (sqlite3.Error, OSError) as e:
        raise JournalError(f"journal {path}: {e}", hint="the journal's owner and root may read it") from e


def holder(path: Path) -> int | None:
    """Returns the pid of the process that uses the journal, 0 where it is unknown, None where there is none."""
    try:
        fd = os.open(f"{path}.lock", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # it may be a pipe
    except FileNotFoundError:
        return None
    except OSError as e:
        raise JournalError(f"{path}.lock: {e.strerror}", hint="ask as the journal's owner or as root") from e
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(fd, 32, 0).strip()
        return int(text) if text.isdigit() else 0
    finally:
        os.close(fd)
    return None


def writable(path: Path) -> None:
    """Checks that the journal can be written, without a change and without the lock. Raises JournalError."""
    try:
        with closing(connect(path)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
    except sqlite3.Error as e:
        raise JournalError(f"journal {path}: {e}", hint="check the owner and mode of the file and its directory") from e


def touch(connection: sqlite3.Connection) -> None:
    """Changes nothing, as a job for the writer, and fails where nothing can be written."""
    connection.execute("UPDATE cursors SET seq = seq")


def _read_state(connection: sqlite3.Connection, path: Path, seqs: Mapping[str, int] | None) -> JournalState:
    cursors = dict(connection.execute("SELECT sink, seq FROM cursors").fetchall()) | dict(seqs or {})
    newest = connection.execute("SELECT seq, received_ms FROM events ORDER BY seq DESC LIMIT 1").fetchone()
    numbered = connection.execute("SELECT seq FROM sqlite_sequence WHERE name='events'").fetchone()
    disk = os.statvfs(path)
    return JournalState(
        used_bytes=bodies_bytes(connection),
        file_bytes=sum(_size(f"{path}{suffix}") for suffix in ("", "-wal")),
        disk_free_bytes=disk.f_bavail * disk.f_frsize,
        last_seq=max(row[0] for row in (newest, numbered, (0,)) if row),
        last_event_ms=newest[1] if newest else None,
        unreadable=connection.execute("SELECT count(*) FROM aside").fetchone()[0],
        unreadable_left=connection.execute("SELECT value FROM totals WHERE name='aside_left'").fetchone()[0],
        seqs=cursors,
        dead_letters=dict(connection.execute("SELECT sink, count(*) FROM dead_letters GROUP BY sink").fetchall()),
        **_fetched(connection),
        oldest_ms={sink: at for sink, seq in cursors.items() if (at := _received_after(connection, seq)) is not None},
    )


def _fetched(connection: sqlite3.Connection) -> dict[str, Any]:
    """Returns gaps, backfills and calls; a journal that awaits its migration has none of these tables."""
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name='gaps'").fetchone() is None:
        return {}
    made, halted = calls.load(connection, f"{datetime.now(UTC):%Y-%m}")
    return {
        "gaps": tuple(backfills.gaps(connection, SHOWN)),
        "backfills": tuple(backfills.recent(connection, SHOWN)),
        "calls": made,
        "halted": halted,
    }


def _received_after(connection: sqlite3.Connection, seq: int) -> int | None:
    row = connection.execute("SELECT received_ms FROM events WHERE seq > ? ORDER BY seq LIMIT 1", (seq,)).fetchone()
    return row[0] if row else None


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0
