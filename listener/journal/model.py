"""What goes in and out of the journal."""

import time
from collections.abc import Callable
from dataclasses import dataclass

KEPT, REFUSED = 200, 500


def _unanswered(code: int) -> None:
    """The reply of an event that nobody waits for."""


class Pending:
    """A payload on its way to disk. `settle` answers the platform once, in the thread that received it."""

    __slots__ = (
        "code",
        "duplicate",
        "event_id",
        "event_type",
        "payload",
        "received_ms",
        "reply",
        "since",
        "unreadable",
    )

    def __init__(self, payload: bytes, event_id: str, event_type: str, unreadable: str = "") -> None:
        self.payload = payload
        self.event_id = event_id
        self.event_type = event_type
        self.unreadable = unreadable  # the reason why it is kept aside
        self.received_ms = time.time_ns() // 1_000_000
        self.since = time.monotonic()
        self.code = REFUSED
        self.duplicate = False
        self.reply: Callable[[int], None] | None = _unanswered

    def settle(self, code: int) -> bool:
        """Replies, unless that has been done; says whether it did."""
        reply, self.reply = self.reply, None
        if reply is not None:
            reply(code)
        return reply is not None


@dataclass(frozen=True)
class Cursor:
    """How far a sink is: every event up to `seq`, and `position` in the sink's own terms ("" where it has none)."""

    seq: int
    position: str = ""


@dataclass(frozen=True)
class DeadLetter:
    """An event that a sink will not get unless somebody orders it: rejected, or given up after `attempts`."""

    id: int
    sink: str
    seq: int
    event_id: str
    reason: str
    attempts: int
    at_ms: int


@dataclass(frozen=True)
class Order:
    """A replay or retry that `sink`'s worker carries out; everything of it up to `done_seq` is done."""

    id: int
    sink: str
    done_seq: int
