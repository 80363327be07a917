"""Knows which events the journal has kept: a fingerprint of each event id stays longer than the event itself.

A fingerprint is 80 bits of BLAKE2b. Among ten million known events a new one is taken for a known one once in 10^17. A
row takes some 20 bytes of the file, where the id as text with its index took 130.
"""

import sqlite3
from hashlib import blake2b

from listener.base.logs import get_logger

DAY_MS, HOUR_MS = 86_400_000, 3_600_000
ROW_BYTES = 21  # of the file, measured for 100,000 ids that came one after the other
_BYTES = 10
_AT_ONCE = 500  # values in one query
log = get_logger(__name__)


class Known(Exception):
    """One of these events is in the journal already, or stands twice among them."""


def fingerprint(event_id: str) -> bytes:
    """Returns the bytes that stand for this id in the table `ids`."""
    return blake2b(event_id.encode("utf-8", "surrogatepass"), digest_size=_BYTES).digest()


def known(connection: sqlite3.Connection, fingerprints: list[bytes]) -> set[bytes]:
    """Returns those of these fingerprints that are in the journal."""
    found: set[bytes] = set()
    for start in range(0, len(fingerprints), _AT_ONCE):
        part = fingerprints[start : start + _AT_ONCE]
        query = f"SELECT fingerprint FROM ids WHERE fingerprint IN ({','.join('?' * len(part))})"  # noqa: S608 marks
        found.update(one for (one,) in connection.execute(query, part))
    return found


def knows(connection: sqlite3.Connection, event_id: str) -> bool:
    """Returns whether the event came, even if it has left the journal since."""
    return bool(known(connection, [fingerprint(event_id)]))


def learn_all(connection: sqlite3.Connection) -> None:
    """Stores the ids of all events that are in the journal, and counts all that are known."""
    rows = connection.execute("SELECT event_id, received_ms FROM events")
    add = "INSERT OR IGNORE INTO ids VALUES (?,?)"
    connection.executemany(add, ((fingerprint(event_id), ms // DAY_MS) for event_id, ms in rows))
    connection.execute("UPDATE totals SET value = (SELECT count(*) FROM ids) WHERE name='ids'")


def forget(connection: sqlite3.Connection, before_day: int, after: bytes, rows: int) -> tuple[int, bytes | None]:
    """Looks through the next `rows` ids after that one, and removes those that came before that day.

    Returns (how many left, the id after which to go on, None at the end).
    """
    query = "SELECT max(fingerprint), count(*) FROM (SELECT fingerprint FROM ids WHERE fingerprint > ? LIMIT ?)"
    last, count = connection.execute(query, (after, rows)).fetchone()
    if not count:
        return 0, None
    remove = "DELETE FROM ids WHERE fingerprint > ? AND fingerprint <= ? AND day < ?"
    left = connection.execute(remove, (after, last, before_day)).rowcount
    return left, last if count == rows else None


def held(connection: sqlite3.Connection, now: int, stay_ms: int) -> bool:
    """Returns whether every id must stay for now, however old it looks.

    Where days have passed by the clock since the last check, it may have been behind and corrected: what came while it
    was behind looks older than it is. Ids then stay as long as if they had come now. A daemon that was off for days
    looks the same, and keeps its ids, too. Times are Unix ms; `stay_ms` is how long ids stay.
    """
    totals = dict(connection.execute("SELECT name, value FROM totals WHERE name LIKE 'ids_%'").fetchall())
    checked, before = totals["ids_checked_ms"], totals["ids_held_until_ms"]
    until = min(before, now + stay_ms)
    if checked and now - checked > DAY_MS:
        log.info("by the clock, days have passed at once: ids stay as long as if they had come now")
        until = now + stay_ms
    if abs(now - checked) >= HOUR_MS or until != before:
        update = "UPDATE totals SET value = ? WHERE name = ?"
        connection.executemany(update, [(now, "ids_checked_ms"), (until, "ids_held_until_ms")])
    return bool(now < until)
