"""Holds in memory the events of one network sink that wait for another attempt while the others go on. Pure."""

from collections import deque
from collections.abc import Collection, Iterable

from listener.journal.waiting import Waiting


class RetryQueue:
    """Keeps events by ticket, oldest first: only a ticket's first event is attempted, the others wait behind it."""

    def __init__(self, rows: Iterable[Waiting] = ()) -> None:
        self._queues: dict[str, deque[Waiting]] = {}
        self._busy: set[str] = set()
        self.unwanted: set[int] = set()  # events under way that go for good if their attempt fails
        self.seqs: set[int] = set()
        for row in rows:
            self.add(row)

    def __len__(self) -> int:
        return len(self.seqs)

    def __contains__(self, ticket: str) -> bool:
        return ticket in self._queues

    def add(self, row: Waiting) -> None:
        """Adds an event behind the waiting ones of its ticket."""
        self._queues.setdefault(row.ticket, deque()).append(row)
        self.seqs.add(row.seq)

    def take(self, now_ms: int, longest_ms: int) -> Waiting | None:
        """Takes the event whose attempt has been due longest; nothing else of its ticket is taken until that is freed.

        No wait is longer than `longest_ms`: a time beyond that comes from a clock that was ahead, and counts as due
        now.
        """
        times = [(queue[0], key) for key, queue in self._queues.items() if key not in self._busy]
        heads = [(row.next_ms if row.next_ms <= now_ms + longest_ms else 0, key) for row, key in times]
        due, key = min(heads, default=(now_ms + 1, ""))
        if due > now_ms:
            return None
        self._busy.add(key)
        row = self._queues[key][0]
        row.first_ms = min(row.first_ms, now_ms)
        return row

    def next_ms(self) -> int | None:
        """Returns when the next attempt is due, in Unix ms, or None where nothing waits."""
        return min((queue[0].next_ms for key, queue in self._queues.items() if key not in self._busy), default=None)

    def first(self, ticket: str) -> Waiting:
        return self._queues[ticket][0]

    def hurry(self) -> None:
        """Makes the next attempt for every ticket due now."""
        for queue in self._queues.values():
            queue[0].next_ms = 0

    def withdraw(self, seqs: Collection[int] | None) -> list[Waiting]:
        """Removes and returns these events, or all, except those that are being attempted now."""
        gone: list[Waiting] = []
        for key, queue in tuple(self._queues.items()):
            attempted = queue[0].seq if key in self._busy else None
            out = {row.seq for row in queue if row.seq != attempted and (seqs is None or row.seq in seqs)}
            gone += [row for row in queue if row.seq in out]
            self.seqs -= out
            if not (left := deque(row for row in queue if row.seq not in out)):
                del self._queues[key]
            else:
                self._queues[key] = left
        return gone

    def give_up_under_way(self, seqs: Collection[int] | None) -> int:
        """Marks these events, or all, that are being attempted now as unwanted; returns how many were not yet."""
        under_way = {self._queues[key][0].seq for key in self._busy} - self.unwanted
        marked = under_way if seqs is None else under_way.intersection(seqs)
        self.unwanted |= marked
        return len(marked)

    def free(self, ticket: str) -> None:
        """Lets the first event of the ticket be attempted again."""
        self._busy.discard(ticket)

    def leave(self, ticket: str) -> None:
        """Removes the first event of the ticket, so that the next one's turn comes."""
        self._busy.discard(ticket)
        queue = self._queues[ticket]
        seq = queue.popleft().seq
        self.seqs.discard(seq)
        self.unwanted.discard(seq)
        if not queue:
            del self._queues[ticket]
