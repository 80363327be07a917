"""Knows how far a network sink is: its cursor, and which events beyond it are done already. Pure.

The cursor says that everything up to it is done. The position that is kept with it says in JSON what is done beyond
it: everything up to a later seq, except a few events. So a crash repeats none of that.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from listener.delivery.batching import Item
from listener.event import Received
from listener.journal import Cursor, Redelivery


class Beyond(msgspec.Struct, frozen=True):
    """Says that everything up to the seq `upto` is done, except the events in `missing`."""

    upto: int
    missing: list[int]


class Progress:
    """Knows which events are under way and which are done, and from that up to where the cursor may move.

    `begin` is called in the order of seq, `finish` in any order.
    """

    def __init__(self, cursor: Cursor) -> None:
        self.read_to = self._highest = cursor.seq
        self.bytes = 0  # of the events that are outstanding
        self.keeping = 0  # delivered events whose commit is under way
        self._outstanding: dict[int, int] = {}  # seq to bytes, lowest first
        self._before = _decode(cursor)

    def begin(self, event: Received) -> bool:
        """Notes an event that was read; returns whether it is still to be delivered."""
        if event.seq <= self._before.upto and event.seq not in self._before.missing:
            self._highest = event.seq
            return False
        self._outstanding[event.seq] = len(event.payload)
        self.bytes += len(event.payload)
        return True

    def finish(self, items: Iterable[Item]) -> None:
        """Notes events as done: they are delivered, dead letters, or in the retry queue."""
        for item in items:
            size = self._outstanding.pop(item.seq, None)
            if size is not None:
                self.bytes -= size
                self._highest = max(self._highest, item.seq)

    def cursor(self) -> Cursor:
        """Returns the cursor that the journal may keep by now."""
        first = next(iter(self._outstanding), None)
        upto = max(self._highest, self._before.upto)
        seq = self.read_to if first is None else first - 1
        if upto <= seq:
            return Cursor(seq)
        missing = [one for one in self._outstanding if one < upto]
        missing += [one for one in self._before.missing if one > self.read_to]
        return Cursor(seq, msgspec.json.encode(Beyond(upto, missing)).decode())

    def moved(self, cursor: Cursor) -> bool:
        """Returns whether the cursor moved over seqs without events, which no delivery reports."""
        return not self._outstanding and self.read_to > cursor.seq


@dataclass
class Step:
    """Some events of a replay or retry, and the seq up to which it is done once they are."""

    redelivery: Redelivery
    upto: int
    seqs: set[int]

    def is_done(self, items: Iterable[Item]) -> bool:
        """Returns whether no event is left once these are done."""
        return not self.seqs - {item.seq for item in items if item.replayed}

    def finish(self, items: Iterable[Item]) -> bool:
        """Takes these events off; returns whether none is left."""
        self.seqs -= {item.seq for item in items if item.replayed}
        return not self.seqs


def _decode(cursor: Cursor) -> Beyond:
    """Returns what a position says; nothing where the sink has none yet, or had another type that wrote it."""
    try:
        return msgspec.json.decode(cursor.position, type=Beyond)
    except msgspec.MsgspecError:
        return Beyond(cursor.seq, [])
