"""Erases what the law asks for: the events of a ticket or of a person, with all that hangs on them.

Their fingerprints stay in `ids`, which tell nothing of them, so that a late repetition does not bring them back. Freed
pages are overwritten with zeros. The daemon takes what was removed off its totals and truncates the write-ahead log
(retention.py); without a daemon, the close of the journal removes the log.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from listener.event import Received, Unparsable, parse
from listener.journal.database import BODY_OVERHEAD
from listener.journal.query import COLUMNS

WITH_SEQ = ("bodies", "events", "dead_letters", "waiting", "enriched")  # tables with rows of an event
ERASED = "UPDATE totals SET value = max(value, 0) + ? WHERE name='erased'"


@dataclass(frozen=True)
class Found:
    """What is to be erased: the seqs of events, ids of quarantined payloads, and names of files that hold images."""

    seqs: Sequence[int]
    quarantined: Sequence[int]
    images: Sequence[str] = ()

    def __bool__(self) -> bool:
        return bool(self.seqs or self.quarantined)


def of_ticket(connection: sqlite3.Connection, ticket_id: str) -> Iterator[Received]:
    """Yields the events of a ticket, oldest first."""
    return _matching(connection, ticket_id, lambda event: parse(event.payload).ticket_id == ticket_id)


def of_person(connection: sqlite3.Connection, open_id: str) -> Iterator[Received]:
    """Yields the events that name this person anywhere, also in what was fetched for them, oldest first."""
    pushed = _matching(connection, open_id, lambda event: _names(parse(event.payload).envelope, open_id))
    events = {event.seq: event for event in (*pushed, *_with_fetched(connection, open_id))}
    return iter([events[seq] for seq in sorted(events)])


def found(connection: sqlite3.Connection, text: str, events: Iterator[Received]) -> Found:
    """Collects those events, and the quarantined payloads that the text occurs in."""
    query = "SELECT id FROM aside WHERE instr(payload, ?) ORDER BY id"
    quarantined = [one for (one,) in connection.execute(query, (text.encode(),))]
    seqs = [event.seq for event in events]
    return Found(seqs, quarantined, _images(connection, set(seqs)))


def undelivered(connection: sqlite3.Connection, seqs: Sequence[int]) -> int:
    """Counts those of these events that some sink has yet to get."""
    lowest = connection.execute("SELECT ifnull(min(seq), 0) FROM cursors").fetchone()[0]
    return sum(seq > lowest for seq in seqs)


def erase(connection: sqlite3.Connection, what: Found) -> None:
    """Removes all of it, inside the caller's transaction; `secure_delete` must be ON for the connection."""
    size = 0
    for seq in what.seqs:
        row = connection.execute("DELETE FROM bodies WHERE seq=? RETURNING length(payload)", (seq,)).fetchall()
        size += sum(length + BODY_OVERHEAD for (length,) in row)
        for table in WITH_SEQ:
            connection.execute(f"DELETE FROM {table} WHERE seq=?", (seq,))  # noqa: S608 our own names
    connection.execute("DELETE FROM details WHERE id NOT IN (SELECT detail FROM enriched WHERE detail IS NOT NULL)")
    connection.executemany("DELETE FROM aside WHERE id=?", [(one,) for one in what.quarantined])
    connection.execute(ERASED, (max(1, size),))  # never 0, which would say that the log is clean


def is_taken(connection: sqlite3.Connection) -> bool:
    """Returns whether a running daemon has taken note of the last erasure, and no file holds the bytes any more."""
    return bool(connection.execute("SELECT value = 0 FROM totals WHERE name='erased'").fetchone()[0])


def _matching(connection: sqlite3.Connection, text: str, holds: Callable[[Received], bool]) -> Iterator[Received]:
    """Yields the events that hold the text: candidates by their bytes, where JSON has the text itself or an escape."""
    query = f"SELECT {COLUMNS} FROM kept WHERE instr(payload, ?) OR instr(payload, ?) ORDER BY seq"  # noqa: S608 our own names
    for row in connection.execute(query, (text.encode(), b"\\u")):
        event = Received(*row)
        try:
            if holds(event):
                yield event
        except Unparsable:
            continue


def _with_fetched(connection: sqlite3.Connection, text: str) -> Iterator[Received]:
    """Returns the events that go out with a ticket, or with something else fetched, in which the text occurs."""
    fetched = "SELECT e.seq FROM enriched e LEFT JOIN details d ON d.id = e.detail WHERE instr(d.body, ?)"
    query = f"SELECT {COLUMNS} FROM kept WHERE seq IN ({fetched} OR instr(e.more, ?))"  # noqa: S608 our own names
    return (Received(*row) for row in connection.execute(query, (text.encode(), text.encode())))


def _images(connection: sqlite3.Connection, seqs: set[int]) -> list[str]:
    """Returns the names of these events' images that no other event has; a file is named by its content."""
    own: set[str] = set()
    others: set[str] = set()
    for seq, more in connection.execute("SELECT seq, more FROM enriched WHERE instr(more, 'attachments')"):
        files = (one.get("file") for one in msgspec.json.decode(more).get("attachments", ()))
        (own if seq in seqs else others).update(Path(file).name for file in files if file)
    return sorted(own - others)


def _names(value: Any, text: str) -> bool:
    """Returns whether the text stands anywhere in the document, even in JSON inside a text."""
    return text.encode() in msgspec.json.encode(value)
