"""Makes jobs for the writer of what somebody decided: retry or discard dead letters, replay one event.

Each function returns a job that `Journal.do` runs inside a commit; the job returns how many events it concerns. `ids`
of None means every dead letter of the sink, SLICE at a time, since other commits wait for the job.
"""

import sqlite3
from collections.abc import Callable, Sequence

from listener.journal import redelivery
from listener.journal.model import QUARANTINE, DeadLetter

SLICE = 500
Job = Callable[[sqlite3.Connection], int]


def retry(sink: str, ids: Sequence[int] | None) -> Job:
    """Returns a job that has the sink's worker deliver these dead letters again, except those being retried."""
    return lambda connection: redelivery.place_retry(connection, sink, _chosen(connection, sink, ids))


def discard(sink: str, ids: Sequence[int] | None) -> Job:
    """Returns a job that removes these dead letters, except those being retried; "-" stands for unreadable payloads."""

    def job(connection: sqlite3.Connection) -> int:
        before = connection.total_changes
        letters = [DeadLetter(one, sink, None, None, "", 0, 0, 0) for one in _chosen(connection, sink, ids)]
        redelivery.discarding(letters)(connection)
        return connection.total_changes - before

    return job


def replay(sink: str, seq: int) -> Job:
    """Returns a job that has the sink deliver the event again: 0 where it is gone, or the sink has yet to get it."""

    def job(connection: sqlite3.Connection) -> int:
        row = connection.execute("SELECT event_id FROM kept WHERE seq = ?", (seq,)).fetchone()
        asked, found = redelivery.replay_of(connection, sink, row[0]) if row else (None, 0)
        if asked is not None and found:
            redelivery.place(connection, asked)
        return found

    return job


def _chosen(connection: sqlite3.Connection, sink: str, ids: Sequence[int] | None) -> list[int]:
    if ids is not None:
        return list(ids[:SLICE])
    if sink == QUARANTINE:
        rows = connection.execute("SELECT id FROM aside ORDER BY id LIMIT ?", (SLICE,))
    else:
        query = "SELECT id FROM dead_letters WHERE sink = ? AND order_id IS NULL ORDER BY id LIMIT ?"
        rows = connection.execute(query, (sink, SLICE))
    return [row[0] for row in rows]
