"""A journal that holds many delivered events, written straight into the database."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from listener.event import TICKET_MESSAGE
from listener.journal import Journal
from tests.bench.payloads import new_id, payload

DAY_MS = 86_400_000


def fill(path: Path, count: int) -> None:
    """`count` events of the last day, under random ids as the platform's: each at a random place of the index."""
    journal = Journal(path)
    journal.start()
    journal.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA cache_size=-1000000")  # KiB
        with connection:
            for event_id, event_type, received_ms, body in _events(count):
                row = event_id, event_type, received_ms
                insert = "INSERT INTO events (event_id, event_type, received_ms) VALUES (?,?,?)"
                seq = connection.execute(insert, row).lastrowid
                connection.execute("INSERT INTO bodies VALUES (?,?)", (seq, body))
            connection.execute(
                "UPDATE totals SET value=(SELECT ifnull(sum(length(payload)), 0) FROM bodies) WHERE name='bodies'"
            )
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    _sync(path)


def _events(count: int) -> Iterator[tuple[str, str, int, bytes]]:
    since = time.time_ns() // 1_000_000 - DAY_MS
    for number in range(count):
        event_id = new_id()
        yield event_id, TICKET_MESSAGE, since + number * DAY_MS // count, payload(event_id)


def _sync(path: Path) -> None:
    """What the kernel writes back later would disturb the measurement."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
