"""Defines what may become of an event that a network sink was given."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Delivered:
    """The other end has the event."""


@dataclass(frozen=True)
class TryAgain:
    """The other end does not have the event, and a later attempt may help.

    scope: "endpoint" if the failure speaks of the other end, so that every event waits for it; "event" if it may be
    this event's own. after: seconds that the other end asked us to wait. paused: somebody must change a setting here
    or there (a wrong token, an address that has moved), so the sink asks again only now and then.
    """

    reason: str
    after: float | None = None
    scope: Literal["endpoint", "event"] = "event"
    paused: bool = False


@dataclass(frozen=True)
class Rejected:
    """The other end refuses the event for what it is; it becomes a dead letter."""

    reason: str


Result = Delivered | TryAgain | Rejected
