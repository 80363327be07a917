"""Stores a batch of events in the tables, each once, and collects what each of them is to be answered."""

import sqlite3
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from listener.event import Received
from listener.journal.identity import DAY_MS, Known, fingerprint, known
from listener.journal.messages import Twins
from listener.journal.model import KEPT, REFUSED, Pending
from listener.journal.retention import Retention

# Rows in one statement: many take a sixth less time, and give the interpreter's lock away once, not for each row.
_MOST_ROWS = 128


def _inserts(into: str, columns: int) -> dict[int, str]:
    row = f"({','.join('?' * columns)})"
    counts = [1 << power for power in range(_MOST_ROWS.bit_length())]
    return {n: f"INSERT {into} VALUES {','.join([row] * n)}" for n in counts}  # noqa: S608 our own names


INSERT_IDS = _inserts("OR IGNORE INTO ids", 2)
INSERT_EVENTS = _inserts("INTO events", 4)
INSERT_BODIES = _inserts("INTO bodies", 2)
Outcome = tuple["Future[Any]", Any, BaseException | None]


@dataclass
class Commit:
    """What one transaction has done; memory and acks follow it once the COMMIT has succeeded.

    `size` counts the bytes of the payloads in `kept`. `rows` counts rows that were surely written, so that the
    write-ahead log has grown. `waiting` are events without room that are tried again, since sinks are making some.
    """

    kept: list[Received] = field(default_factory=list)
    size: int = 0
    answers: list[tuple[Pending, int, bool]] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    rows: int = 0
    waiting: list[Pending] = field(default_factory=list)

    def keep(self, kept: list[Received], batch: list[Pending], duplicates: Collection[int] = ()) -> None:
        """Notes which events of that batch were stored."""
        self.kept, self.size = kept, sum(len(event.payload) for event in kept)
        self.rows += len(kept)
        self.answer(batch, duplicates)

    def answer(self, batch: list[Pending], duplicates: Collection[int] = (), otherwise: int = KEPT) -> None:
        """Notes each event's ack code, KEPT for a duplicate; `duplicates` holds the `id()` of those."""
        for one in batch:
            known = id(one) in duplicates
            self.answers.append((one, KEPT if known else otherwise, known))

    def settle(self) -> None:
        """Gives each event its ack code."""
        for pending, code, duplicate in self.answers:
            pending.code, pending.duplicate = code, duplicate

    def resolve(self) -> None:
        """Gives each job's result, or its error, to whoever waits for it."""
        for future, result, error in self.outcomes:
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)


class Appender:
    """Stores events inside the writer's transaction; `last_seq` returns the newest committed seq."""

    def __init__(self, connection: sqlite3.Connection, retention: Retention, last_seq: Callable[[], int]) -> None:
        self._connection, self._retention, self._last_seq = connection, retention, last_seq
        self._twins = Twins(connection)

    def insert(self, batch: list[Pending], done: Commit, *, sort_out: bool) -> None:
        """Stores each event once and quarantines what can't be read. A full journal still recognises duplicates.

        Raises Known where a duplicate comes unexpectedly; the transaction is then begun anew with `sort_out`, which
        finds the duplicates first. That is rare, and looking for each id first would cost every batch a tenth.
        """
        unreadable = [p for p in batch if p.unreadable]
        readable = [p for p in batch if not p.unreadable] if unreadable else batch
        if twins := self._twins.among(readable):
            known_twins = {id(twin) for twin in twins}
            done.answer(twins, known_twins)
            readable = [pending for pending in readable if id(pending) not in known_twins]
        self._keep_once(readable, done, sort_out)
        self._twins.note(done.kept)
        self._retention.grown(self._connection, len(done.kept), done.size)
        for p in unreadable:
            self._retention.quarantine(self._connection, p.received_ms, p.unreadable, p.payload)
        done.rows += len(unreadable)
        done.answer(unreadable)

    def _keep_once(self, batch: list[Pending], done: Commit, sort_out: bool) -> None:
        is_full = self._retention.full(self._connection)
        prints = [fingerprint(pending.event_id) for pending in batch]
        if is_full:
            there = known(self._connection, prints)
            duplicates = {id(p) for p, f in zip(batch, prints, strict=True) if f in there}
            self._find_no_room(batch, duplicates, done)
            return
        duplicates = self._duplicates(batch, prints) if sort_out else set()
        fresh = [(p, f) for p, f in zip(batch, prints, strict=True) if id(p) not in duplicates]
        done.keep(self._store(fresh), batch, duplicates)

    def _find_no_room(self, batch: list[Pending], duplicates: set[int], done: Commit) -> None:
        """Lets new events wait for room, or refuses them; where one new event came twice, both are treated alike."""
        done.waiting = self._retention.waiting([pending for pending in batch if id(pending) not in duplicates])
        waits = {id(pending) for pending in done.waiting}
        done.answer([pending for pending in batch if id(pending) not in waits], duplicates, otherwise=REFUSED)

    def _store(self, new: list[tuple[Pending, bytes]]) -> list[Received]:
        """Stores the events, each given with its fingerprint, and returns them. Raises Known where one is not new."""
        before = self._connection.total_changes
        self._execute(INSERT_IDS, [(f, p.received_ms // DAY_MS) for p, f in new])
        if self._connection.total_changes - before != len(new):
            raise Known
        first = self._last_seq() + 1
        kept = [Received(s, p.event_id, p.event_type, p.received_ms, p.payload) for s, (p, _) in enumerate(new, first)]
        self._execute(INSERT_EVENTS, [(e.seq, e.event_id, e.event_type, e.received_ms) for e in kept])
        self._execute(INSERT_BODIES, [(e.seq, e.payload) for e in kept])
        return kept

    def _execute(self, inserts: dict[int, str], rows: Sequence[tuple[object, ...]]) -> None:
        """Runs the statements, each of which takes a fixed number of rows, the largest first, until all rows are in."""
        start = 0
        while left := len(rows) - start:
            count = min(_MOST_ROWS, 1 << left.bit_length() - 1)
            self._connection.execute(inserts[count], list(chain.from_iterable(rows[start : start + count])))
            start += count

    def _duplicates(self, batch: list[Pending], prints: list[bytes]) -> set[int]:
        """Returns the `id()` of each event that is in the journal already, or earlier in the batch."""
        seen = known(self._connection, prints)
        duplicates: set[int] = set()
        for pending, one in zip(batch, prints, strict=True):
            if one in seen:
                duplicates.add(id(pending))
            seen.add(one)
        return duplicates
