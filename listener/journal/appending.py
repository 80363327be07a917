"""Puts a batch of events into the tables, each once, and says what that was."""

import sqlite3
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from listener.event import Received
from listener.journal.database import BODY_OVERHEAD
from listener.journal.model import KEPT, REFUSED, Pending
from listener.journal.retention import Retention

# By rows: one statement of many takes a sixth less time, and gives the interpreter's lock away once, not for each row.
_ROWS = (128, 64, 32, 16, 8, 4, 2, 1)
INSERTS = {n: "INSERT OR IGNORE INTO events VALUES " + ",".join(["(?,?,?,?)"] * n) for n in _ROWS}  # noqa: S608
INSERT_BODIES = {n: "INSERT INTO bodies VALUES " + ",".join(["(?,?)"] * n) for n in _ROWS}  # noqa: S608
Outcome = tuple["Future[Any]", Any, BaseException | None]


@dataclass
class Commit:
    """What one transaction has done; memory and acks follow it once the COMMIT is through.

    `rows` counts rows that were surely written, so that the write-ahead log has grown.
    """

    kept: list[Received] = field(default_factory=list)
    answers: list[tuple[Pending, int, bool]] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    rows: int = 0

    def keep(self, kept: list[Received], batch: list[Pending], duplicates: Collection[int] = ()) -> None:
        """Notes the events that were stored, out of that batch."""
        self.kept = kept
        self.rows += len(kept)
        self.answer(batch, duplicates)

    def answer(self, batch: list[Pending], duplicates: Collection[int] = (), otherwise: int = KEPT) -> None:
        """Notes the ack code of each; `duplicates` holds the `id()` of those that were known: they are KEPT."""
        for one in batch:
            known = id(one) in duplicates
            self.answers.append((one, KEPT if known else otherwise, known))

    def settle(self) -> None:
        """Gives each event its code."""
        for pending, code, duplicate in self.answers:
            pending.code, pending.duplicate = code, duplicate

    def resolve(self) -> None:
        """Gives each job's result, or error, to who waits for it."""
        for future, result, error in self.outcomes:
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)


class Appender:
    """Works inside the writer's transaction; `last_seq` says the newest committed one."""

    def __init__(self, connection: sqlite3.Connection, retention: Retention, last_seq: Callable[[], int]) -> None:
        self._connection, self._retention, self._last_seq = connection, retention, last_seq

    def insert(self, batch: list[Pending], done: "Commit") -> None:
        """Keeps each event once and quarantines what can't be read. A full journal still knows its duplicates."""
        unreadable = [p for p in batch if p.unreadable]
        readable = [p for p in batch if not p.unreadable] if unreadable else batch
        if self._retention.full(self._connection):
            done.answer(readable, self._duplicates(readable), otherwise=REFUSED)
        else:
            self._keep_once(readable, done)
        self._retention.grown(self._connection, sum(len(e.payload) + BODY_OVERHEAD for e in done.kept))
        for p in unreadable:
            self._retention.quarantine(self._connection, p.received_ms, p.unreadable, p.payload)
        done.rows += len(unreadable)
        done.answer(unreadable)

    def _keep_once(self, batch: list[Pending], done: "Commit") -> None:
        """First in its transaction, which a duplicate begins anew: a savepoint would cost every batch a fifth."""
        kept = self._number(batch)
        if self._store(kept) == len(kept):
            done.keep(kept, batch)
            return
        self._connection.execute("ROLLBACK")  # a duplicate among them, which is rare: sort them out
        self._connection.execute("BEGIN IMMEDIATE")
        self._retention.begin()
        duplicates = self._duplicates(batch)
        fresh = [pending for pending in batch if id(pending) not in duplicates]
        if fresh and self._retention.full(self._connection):  # the room that was made is rolled back, too
            done.answer(batch, duplicates, otherwise=REFUSED)
            return
        kept = self._number(fresh)
        if self._store(kept) != len(kept):
            raise sqlite3.IntegrityError(f"seq {kept[0].seq} or one after it is taken")
        done.keep(kept, batch, duplicates)

    def _number(self, batch: list[Pending]) -> list[Received]:
        first = self._last_seq() + 1
        return [Received(s, p.event_id, p.event_type, p.received_ms, p.payload) for s, p in enumerate(batch, first)]

    def _store(self, events: list[Received]) -> int:
        before = self._connection.total_changes
        self._execute(INSERTS, [(e.seq, e.event_id, e.event_type, e.received_ms) for e in events])
        stored = self._connection.total_changes - before
        if stored == len(events):
            self._execute(INSERT_BODIES, [(e.seq, e.payload) for e in events])
        return stored

    def _execute(self, inserts: dict[int, str], rows: Sequence[tuple[object, ...]]) -> None:
        """Runs the statements that take so many rows at once, the largest first, until all rows are in."""
        start = 0
        for count, insert in inserts.items():
            while len(rows) - start >= count:
                self._connection.execute(insert, list(chain.from_iterable(rows[start : start + count])))
                start += count

    def _duplicates(self, batch: list[Pending]) -> set[int]:
        """The `id()` of those whose event is in the journal, or in the batch before them."""
        seen: set[str] = set()
        duplicates: set[int] = set()
        for pending in batch:
            known = self._connection.execute("SELECT 1 FROM events WHERE event_id=?", (pending.event_id,)).fetchone()
            if known is not None or pending.event_id in seen:
                duplicates.add(id(pending))
            seen.add(pending.event_id)
        return duplicates
