"""Keeps payloads that can't be read, with the reason, in a share of the journal from which the oldest leave."""

import sqlite3

from listener.journal.database import BODY_OVERHEAD

AT_MOST = 1024  # that leave for one that comes


def add(connection: sqlite3.Connection, row: tuple[int, str, bytes], most: int) -> int:
    """Stores (Unix ms of receipt, reason, payload) within `most` bytes; returns how many payloads had to leave for it.

    Triggers keep the sum, so that other code which removes some need not do so.
    """
    connection.execute("INSERT INTO aside (received_ms, reason, payload) VALUES (?,?,?)", row)
    ((size,),) = connection.execute("SELECT value FROM totals WHERE name='aside'")
    left = 0
    while size > most and left < AT_MOST:
        query = "DELETE FROM aside WHERE id = (SELECT min(id) FROM aside) RETURNING length(payload)"
        ((gone,),) = connection.execute(query).fetchall()
        size, left = size - gone - BODY_OVERHEAD, left + 1
    if left:
        connection.execute("UPDATE totals SET value = value + ? WHERE name='aside_left'", (left,))
    return left
