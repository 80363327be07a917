"""Says what the sinks' cursors mean for all events together: up to where every sink has them, and whose cursor goes."""

import sqlite3
from collections.abc import Collection

from listener.journal.identity import DAY_MS

SINK_GONE_MS = 30 * DAY_MS
NEVER = 1 << 62


def delivered_to(connection: sqlite3.Connection, sinks: Collection[str]) -> int:
    """Returns the seq up to which every one of these sinks has all events, and no replay wants them again."""
    marks = ",".join("?" * len(sinks))
    query = f"SELECT count(*), min(seq) FROM cursors WHERE sink IN ({marks})"  # noqa: S608 question marks only
    known, lowest = connection.execute(query, tuple(sinks)).fetchone()
    query = f"SELECT min(done_seq) FROM orders WHERE kind='replay' AND sink IN ({marks})"  # noqa: S608 question marks only
    (ordered,) = connection.execute(query, tuple(sinks)).fetchone()
    return min(int(lowest), NEVER if ordered is None else int(ordered)) if known and known == len(sinks) else 0


def forget_sinks(connection: sqlite3.Connection, configured: Collection[str], now: int) -> None:
    """Removes the cursors of sinks that left the settings long ago, and the replays and retries for them."""
    if not configured:
        return
    connection.executemany("UPDATE cursors SET updated_ms=? WHERE sink=?", [(now, sink) for sink in configured])
    connection.execute("DELETE FROM cursors WHERE updated_ms < ?", (now - SINK_GONE_MS,))
    connection.execute("DELETE FROM orders WHERE sink NOT IN (SELECT sink FROM cursors)")
    connection.execute("DELETE FROM waiting WHERE sink NOT IN (SELECT sink FROM cursors)")
