"""Recovers a damaged journal: it is read for what can be read and moved aside, never deleted.

Each step may be the last before a crash: the salvage is written beside, synced, and named PATH.salvaged once it is
whole; only then is the damaged file moved to PATH.damaged-TIME and the salvage to PATH. The next start goes on there.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from listener.base.clock import now_ms
from listener.base.errors import JournalError
from listener.base.files import stamp, sync_directory
from listener.base.logs import get_logger
from listener.event import Unparsable, identify
from listener.journal import identity
from listener.journal.database import BODY_OVERHEAD, connect, create, transaction

GAP = 1_000_000  # seqs left out where the last one can't be read: a number is never used again
SPAN = 4096  # rows read together; halved where one can't be
FRESH = ""  # the name of the cursor that sinks without one begin at
RECOUNT = (
    "UPDATE totals SET value = (SELECT ifnull(sum(length(payload)), 0) + count(*) * ? FROM bodies) WHERE name='bodies'"
)
Row = tuple[Any, ...]
_KEYS = {"events": "seq", "bodies": "seq", "dead_letters": "id", "aside": "id", "orders": "id", "waiting": "id"}
log = get_logger(__name__)


def mark(path: Path, reason: str) -> None:
    """Has the next start recover the journal, whose quick look would not see damage deep inside."""
    fd = os.open(_marker(path), os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    with open(fd, "w", encoding="utf-8") as file:
        file.write(reason)
        file.flush()
        os.fsync(fd)


def marked(path: Path) -> str:
    """Returns why the journal was found damaged while it was in use, or ""."""
    try:
        return _marker(path).read_text(encoding="utf-8") or "found damaged"
    except FileNotFoundError:
        return ""


def recover(path: Path, damage: str, *, lost_newest: bool = False) -> None:
    """Puts what can be read of the file at `path` in its place. Raises JournalError.

    `lost_newest`: the newest commits can't be read, so that the last seq is not known.
    """
    log.error("the journal is damaged: what can be read is salvaged", path=str(path), because=damage)
    part = Path(f"{path}.salvage")
    try:
        create(part)
        counts = _salvage(path, part, lost_newest)
        os.rename(part, _salvaged(path))
    except (OSError, sqlite3.Error) as e:
        raise JournalError(
            f"journal {path} is damaged ({damage}) and could not be salvaged: {e}",
            hint="it is left as it is; make room beside it and start again, or move it away to begin a new one",
        ) from e
    finish(path)
    log.error("the journal was salvaged; the damaged file is kept beside it", path=str(path), **counts)


def finish(path: Path) -> None:
    """Ends a recovery whose salvage is whole; does nothing where there is none."""
    salvaged = _salvaged(path)
    if not salvaged.exists():
        return
    move_aside(path)
    os.rename(salvaged, path)
    sync_directory(path.parent)
    _marker(path).unlink(missing_ok=True)


def move_aside(path: Path) -> None:
    """Renames the database and its WAL, of whatever size, to names that nothing else uses; removes an empty file."""
    now = stamp()
    for suffix in ("", "-wal"):
        file, aside = Path(f"{path}{suffix}"), Path(f"{path}.damaged-{now}{suffix}")
        if file.exists() and file.stat().st_size == 0:
            file.unlink()
        elif file.exists():
            os.rename(file, aside)
            log.error("moved aside", path=str(file), to=str(aside))
    Path(f"{path}-shm").unlink(missing_ok=True)  # an index of the WAL, made anew from it


def _salvage(damaged: Path, part: Path, lost_newest: bool) -> dict[str, int]:
    with closing(_source(damaged)) as source, closing(connect(part)) as target:
        target.execute("PRAGMA wal_autocheckpoint=4000")  # pages
        counts = {table: _copy(source, target, table, key) for table, key in _KEYS.items()}
        with transaction(target):
            _copy_ids(source, target)
            target.execute("DELETE FROM events WHERE seq NOT IN (SELECT seq FROM bodies)")
            _copy_fetched(source, target)
            _repair_cursors(source, target)
            _repair_sequence(source, target, GAP if lost_newest else 0)
            target.execute(RECOUNT, (BODY_OVERHEAD,))
        target.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return counts


def _source(damaged: Path) -> sqlite3.Connection:
    """Returns the damaged database, or an empty one where nothing at all can be read."""
    try:
        return connect(damaged, "ro")
    except sqlite3.Error:
        return sqlite3.connect(":memory:")


def _copy(source: sqlite3.Connection, target: sqlite3.Connection, table: str, key: str) -> int:
    copied = 0
    for rows in _readable(source, table, key):
        with transaction(target):
            copied += _COPIES.get(table, _copy_all)(target, table, rows)
    return copied


def _copy_all(target: sqlite3.Connection, table: str, rows: list[Row]) -> int:
    _insert(target, table, rows)
    return len(rows)


def _copy_events(target: sqlite3.Connection, table: str, rows: list[Row]) -> int:
    """Copies the rows whose columns have sensible types; in schema 1 the body was the fifth column."""
    whole = [row[:4] for row in rows if [type(value) for value in row[:4]] == [int, str, str, int]]
    _insert(target, table, whole)
    _copy_bodies(target, "bodies", [(row[0], row[4]) for row in rows if len(row) > 4 and row[4] is not None])
    return len(whole)


def _copy_bodies(target: sqlite3.Connection, table: str, rows: list[Row]) -> int:
    """Copies the payloads that hold the event which their row names, and quarantines the others."""
    broken = [row for row in rows if not _is_whole(target, *row)]
    whole = [row for row in rows if row not in broken] if broken else rows
    _insert(target, table, whole)
    quarantined = [(None, 0, "damaged in the journal", payload) for _, payload in broken if type(payload) is bytes]
    _insert(target, "aside", quarantined)
    return len(whole)


def _insert(target: sqlite3.Connection, table: str, rows: list[Row]) -> None:
    if rows:
        marks = ",".join("?" * len(rows[0]))
        target.executemany(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", rows)  # noqa: S608 our own names


def _readable(source: sqlite3.Connection, table: str, key: str) -> Iterator[list[Row]]:
    """Yields every row that can be read: a lookup by key needs only the pages on its own way."""
    numbered = "events" if table == "bodies" else table  # they share their numbers
    last = max(_end(source, table, key) or 0, _sequence(source, numbered) or 0)
    at = 0
    while at < last:
        try:
            query = f"SELECT * FROM {table} WHERE {key} > ? ORDER BY {key} LIMIT ?"  # noqa: S608 our own names
            rows = source.execute(query, (at, SPAN)).fetchall()
        except sqlite3.Error:
            yield from _range(source, table, key, at + 1, at + SPAN)
            at += SPAN
        else:
            yield rows
            at = rows[-1][0] if rows else last


def _range(source: sqlite3.Connection, table: str, key: str, first: int, end: int) -> Iterator[list[Row]]:
    try:
        query = f"SELECT * FROM {table} WHERE {key} BETWEEN ? AND ?"  # noqa: S608 our own names
        yield source.execute(query, (first, end)).fetchall()
    except sqlite3.Error:
        if first < end:
            middle = (first + end) // 2
            yield from _range(source, table, key, first, middle)
            yield from _range(source, table, key, middle + 1, end)


def _end(source: sqlite3.Connection, table: str, key: str) -> int | None:
    with suppress(sqlite3.Error):
        row = source.execute(f"SELECT {key} FROM {table} ORDER BY {key} DESC LIMIT 1").fetchone()  # noqa: S608 our own names
        return int(row[0]) if row else None
    return None


def _sequence(source: sqlite3.Connection, table: str) -> int | None:
    with suppress(sqlite3.Error):
        row = source.execute("SELECT seq FROM sqlite_sequence WHERE name=?", (table,)).fetchone()
        return int(row[0]) if row else None
    return None


def _is_whole(target: sqlite3.Connection, seq: object, payload: object) -> bool:
    """Returns whether a body is what was once kept: the bytes of the event that has this seq."""
    if type(seq) is not int or type(payload) is not bytes:
        return False
    try:
        identity = identify(payload)
    except Unparsable:
        return False
    # Where the event's row is lost, the body says whose it is; the time of its receipt is not known any more.
    target.execute("INSERT OR IGNORE INTO events VALUES (?,?,?,?)", (seq, *identity, now_ms()))
    query = "SELECT event_id, event_type FROM events WHERE seq=?"
    return bool(target.execute(query, (seq,)).fetchone() == identity)


_COPIES: dict[str, Callable[[sqlite3.Connection, str, list[Row]], int]] = {
    "events": _copy_events,
    "bodies": _copy_bodies,
}


def _copy_fetched(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Copies what the API gave, each table as a whole or not at all: an interrupted backfill is asked for anew."""
    for table in ("api_calls", "marks", "message_ids", "gaps", "details", "enriched"):
        with suppress(sqlite3.Error):
            _insert(target, table, source.execute(f"SELECT * FROM {table}").fetchall())  # noqa: S608 our own names
    # The ids of tickets that are lost are given again: an event must not go out with the ticket of another.
    target.execute("UPDATE enriched SET detail = NULL WHERE detail NOT IN (SELECT id FROM details)")


def _repair_cursors(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Resets cursors that can't be read: their sinks get everything again, rather than nothing of what they lack."""
    try:
        rows = source.execute("SELECT * FROM cursors").fetchall()
    except sqlite3.Error as e:
        log.warning("no cursor can be read: every sink gets what is kept again", because=str(e))
        rows = [(FRESH, 0, "", 0)]
    target.executemany("INSERT INTO cursors VALUES (?,?,?,?)", rows)


def _copy_ids(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Copies the ids that can be read, range by range, and those of the events that are there."""
    edges = [bytes([high, low]) for high in range(256) for low in range(0, 256, 16)]
    for first, end in zip([b"", *edges[1:]], [*edges[1:], b"\xff" * 11], strict=True):
        with suppress(sqlite3.Error):  # an older schema has none; damage loses one range
            query = "SELECT fingerprint, day FROM ids WHERE fingerprint >= ? AND fingerprint < ?"
            _insert(target, "ids", source.execute(query, (first, end)).fetchall())
    identity.learn_all(target)


def _repair_sequence(source: sqlite3.Connection, target: sqlite3.Connection, gap: int) -> None:
    last = _sequence(source, "events")
    if last is None:
        known = target.execute("SELECT (SELECT max(seq) FROM events), (SELECT max(seq) FROM cursors)").fetchone()
        last, gap = max(seq or 0 for seq in known), GAP
    target.execute("DELETE FROM sqlite_sequence WHERE name='events'")
    target.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('events', ?)", (last + gap,))


def _salvaged(path: Path) -> Path:
    return Path(f"{path}.salvaged")


def _marker(path: Path) -> Path:
    return Path(f"{path}.damaged")
