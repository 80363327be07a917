"""The events that wait beside a sink's cursor, as its worker holds them in memory. Pure."""

from collections import deque
from collections.abc import Collection, Iterable

from listener.journal.waiting import Waiting


class Aside:
    """By ticket, oldest first: only the first of a ticket is attempted, the others wait behind it."""

    def __init__(self, rows: Iterable[Waiting] = ()) -> None:
        self._lanes: dict[str, deque[Waiting]] = {}
        self._busy: set[str] = set()
        self.seqs: set[int] = set()
        for row in rows:
            self.add(row)

    def __len__(self) -> int:
        return len(self.seqs)

    def __contains__(self, ticket: str) -> bool:
        return ticket in self._lanes

    def add(self, row: Waiting) -> None:
        """Puts an event behind what waits of its ticket."""
        self._lanes.setdefault(row.ticket, deque()).append(row)
        self.seqs.add(row.seq)

    def take(self, now_ms: int, longest_ms: int) -> Waiting | None:
        """Takes the event whose attempt has been due longest; nothing else of its ticket until it is freed.

        No wait is longer than `longest_ms`: times beyond that are of a clock that was ahead, and mean now.
        """
        times = [(lane[0], key) for key, lane in self._lanes.items() if key not in self._busy]
        heads = [(row.next_ms if row.next_ms <= now_ms + longest_ms else 0, key) for row, key in times]
        due, key = min(heads, default=(now_ms + 1, ""))
        if due > now_ms:
            return None
        self._busy.add(key)
        row = self._lanes[key][0]
        row.first_ms = min(row.first_ms, now_ms)
        return row

    def next_ms(self) -> int | None:
        """Returns when the next attempt is due, in Unix ms; None: nothing waits."""
        return min((lane[0].next_ms for key, lane in self._lanes.items() if key not in self._busy), default=None)

    def first(self, ticket: str) -> Waiting:
        return self._lanes[ticket][0]

    def hurry(self) -> None:
        """Makes the next attempt of every ticket due now."""
        for lane in self._lanes.values():
            lane[0].next_ms = 0

    def withdraw(self, seqs: Collection[int] | None) -> list[Waiting]:
        """Takes out these events, or all of them, but those that are being attempted now."""
        gone: list[Waiting] = []
        for key, lane in tuple(self._lanes.items()):
            attempted = lane[0].seq if key in self._busy else None
            out = {row.seq for row in lane if row.seq != attempted and (seqs is None or row.seq in seqs)}
            gone += [row for row in lane if row.seq in out]
            self.seqs -= out
            if not (left := deque(row for row in lane if row.seq not in out)):
                del self._lanes[key]
            else:
                self._lanes[key] = left
        return gone

    def free(self, ticket: str) -> None:
        """Lets the first event of the ticket be attempted again."""
        self._busy.discard(ticket)

    def leave(self, ticket: str) -> None:
        """Removes the first event of the ticket, so that the next one's turn has come."""
        self._busy.discard(ticket)
        lane = self._lanes[ticket]
        self.seqs.discard(lane.popleft().seq)
        if not lane:
            del self._lanes[ticket]
