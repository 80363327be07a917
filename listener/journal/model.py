"""Defines what goes in and out of the journal."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Literal

import msgspec

from listener.base.clock import now_ms
from listener.event import Discreet

KEPT, REFUSED = 200, 500
QUARANTINE = "-"  # in place of a sink's name: payloads that can't be read belong to none


def _unanswered(code: int) -> None:
    """Does nothing: it is the reply of an event that nobody waits for."""


class Pending(Discreet, msgspec.Struct, eq=False, gc=False):
    """A payload on its way to disk. `settle` answers the platform once, in the thread that received it."""

    payload: bytes
    event_id: str
    event_type: str
    unreadable: str = ""  # the reason why it is quarantined
    received_ms: int = msgspec.field(default_factory=now_ms)
    since: float = msgspec.field(default_factory=time.monotonic)
    code: int = REFUSED
    duplicate: bool = False
    reply: Callable[[int], None] | None = _unanswered
    kept: "Future[int] | None" = None  # of what this process fetched itself: its code, once it is settled

    def settle(self, code: int) -> bool:
        """Replies, unless that has been done; returns whether it did."""
        reply, self.reply = self.reply, None
        if reply is not None:
            reply(code)
        return reply is not None


@dataclass(frozen=True)
class Cursor:
    """How far a sink is: it has every event up to `seq`. `position` is the sink's own note of that, or ""."""

    seq: int
    position: str = ""


@dataclass(frozen=True)
class DeadLetter:
    """An event that a sink will not get unless somebody retries it: it was rejected, or given up after `attempts`.

    A dead letter of the sink QUARANTINE is a payload that can't be read; it has no event. Times are Unix ms, `size` is
    in bytes.
    """

    id: int
    sink: str
    seq: int | None
    event_id: str | None
    reason: str
    attempts: int
    at_ms: int
    size: int
    retrying: bool = False  # whether a retry of it has been requested

    @property
    def name(self) -> str:
        """Returns what commands call it: 12, or a3 for the third quarantined payload."""
        return f"a{self.id}" if self.sink == QUARANTINE else str(self.id)


@dataclass(frozen=True)
class Redelivery:
    """A redelivery, which is a replay or a retry; `sink`'s worker has carried it out up to the seq `done_seq`.

    A replay means the events after `done_seq` up to `last_seq` that came from `since_ms` on and before `until_ms`; a
    retry means the dead letters that were marked with its id. `started` says that past what `done_seq` tells, the sink
    may hold lines of this redelivery, and no other ones.
    """

    id: int
    sink: str
    kind: Literal["replay", "retry"]
    since_ms: int
    until_ms: int
    done_seq: int
    last_seq: int
    started: bool
