"""Opens the journal for commands: read-only, without the lock, whether a daemon runs or not."""

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from listener.base.errors import JournalError
from listener.journal.database import connect
from listener.journal.model import QUARANTINE, DeadLetter
from listener.journal.recovery import FRESH
from listener.journal.tables import APPLICATION_ID, newest

_DEAD = (
    "SELECT d.id, d.sink, d.seq, e.event_id, d.reason, d.attempts, d.at_ms, ifnull(length(b.payload), 0),"
    " d.order_id IS NOT NULL FROM dead_letters d LEFT JOIN events e ON e.seq = d.seq"
    " LEFT JOIN bodies b ON b.seq = d.seq"
)
_QUARANTINED = f"SELECT id, '{QUARANTINE}', NULL, NULL, reason, 1, received_ms, length(payload), 0 FROM aside"  # noqa: S608 our own name


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Yields a connection that changes nothing. Raises JournalError, also for errors inside its block."""
    if not path.exists():
        raise JournalError(
            f"there is no journal at {path}", hint="it is made by the first start; journal.path says where"
        )
    try:
        with closing(connect(path, "ro")) as connection:
            _check(connection, path)
            yield connection
    except (sqlite3.Error, OSError) as e:
        raise JournalError(f"journal {path}: {e}", hint="the journal's owner and root may read it") from e


def dead_letters(connection: sqlite3.Connection, sink: str | None = None) -> list[DeadLetter]:
    """Returns the dead letters of one sink or of all, oldest first; the sink QUARANTINE means unreadable payloads."""
    found = [] if sink == QUARANTINE else connection.execute(f"{_DEAD} ORDER BY d.id").fetchall()
    found += connection.execute(f"{_QUARANTINED} ORDER BY id").fetchall() if sink in (None, QUARANTINE) else []
    return [letter for letter in (DeadLetter(*row) for row in found) if sink in (None, letter.sink)]


def quarantined(connection: sqlite3.Connection, one: int) -> tuple[int, bytes]:
    """Returns (Unix ms of its receipt, the payload) of the quarantined payload with this id."""
    received_ms, payload = connection.execute("SELECT received_ms, payload FROM aside WHERE id=?", (one,)).fetchone()
    return received_ms, payload


def unknown_cursors(path: Path, names: Collection[str]) -> list[str]:
    """Returns the sinks that the journal knows and `names` does not: removed or renamed ones. [] without a journal."""
    if not path.exists():
        return []
    with reading(path) as connection:
        known = [sink for (sink,) in connection.execute("SELECT sink FROM cursors ORDER BY sink")]
    return [sink for sink in known if sink not in names and sink != FRESH]


def _check(connection: sqlite3.Connection, path: Path) -> None:
    application, version = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
    )
    if application != APPLICATION_ID:
        raise JournalError(f"journal {path}: a database, but not of helpdesk-listen")
    if version != newest():
        raise JournalError(
            f"journal {path}: schema {version}, this helpdesk-listen knows {newest()}",
            hint="an older one is migrated by the next start, for a newer one upgrade helpdesk-listen",
        )
