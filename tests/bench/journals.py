"""A journal that holds many delivered events, written straight into the database."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from listener.event import TICKET_MESSAGE
from listener.journal import Journal
from listener.journal.database import BODY_OVERHEAD
from listener.journal.identity import DAY_MS, fingerprint
from tests.bench.payloads import new_id, payload

_SHORT = b'{"schema":"2.0","header":{"event_id":"%b","event_type":"%b"},"event":{"ticket_message_id":"1"}}'


def fill(path: Path, count: int, days: float = 1.0, *, short: bool = False) -> None:
    """`count` events of the last days, under random ids as the platform's; `short`: of 0.15 KB each, not 1.8.

    The index that knows duplicates holds all of them: a new id is at a random place of it.
    """
    journal = Journal(path)
    journal.start()
    journal.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA cache_size=-1000000")  # KiB
        with connection:
            prints: list[tuple[bytes, int]] = []
            events = _events(count, days, prints, short)
            for row in events:
                connection.execute("INSERT INTO events VALUES (?,?,?,?)", row[:4])
                connection.execute("INSERT INTO bodies VALUES (?,?)", (row[0], row[4]))
            prints.sort()
            connection.executemany("INSERT INTO ids VALUES (?,?)", prints)
            _add_up(connection)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    _sync(path)


def _events(
    count: int, days: float, prints: list[tuple[bytes, int]], short: bool
) -> Iterator[tuple[int, str, str, int, bytes]]:
    """The rows, oldest first; their fingerprints and days go into `prints`."""
    span = round(days * DAY_MS)
    since = time.time_ns() // 1_000_000 - span
    for number in range(count):
        event_id, received_ms = new_id(), since + number * span // count
        prints.append((fingerprint(event_id), received_ms // DAY_MS))
        body = _SHORT % (event_id.encode(), TICKET_MESSAGE.encode()) if short else payload(event_id)
        yield number + 1, event_id, TICKET_MESSAGE, received_ms, body


def _add_up(connection: sqlite3.Connection) -> None:
    """Sets the totals that the journal keeps."""
    bodies = "(SELECT ifnull(sum(length(payload) + ?), 0) FROM bodies)"
    connection.execute(f"UPDATE totals SET value={bodies} WHERE name='bodies'", (BODY_OVERHEAD,))  # noqa: S608 ours
    connection.execute("UPDATE totals SET value=(SELECT count(*) FROM ids) WHERE name='ids'")


def _sync(path: Path) -> None:
    """What the kernel writes back later would disturb the measurement."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
