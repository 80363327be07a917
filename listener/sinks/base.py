"""Defines what every sink is configured with, what it is asked to do, and what may come of it."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, Protocol

import msgspec

from listener.event import Received
from listener.event.fields import EVENTS, SENDERS, STATUSES, UNKNOWN
from listener.settings.rules import Duration, Text, Texts

DAY = 86_400.0  # seconds


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """How long a failing sink is tried again; both values are in seconds."""

    max_delay: Annotated[float, Duration("10ms", "1d")] = 60.0
    give_up_after: Annotated[float | None, Duration("1s", "3650d", never=True)] = DAY


NEVER_GIVE_UP = Retry(give_up_after=None)


if TYPE_CHECKING:  # for a checker any text; msgspec and the reference of the settings see the choices
    EventType = str
    Sender = str
    Status = str
else:
    EventType = Literal[tuple(EVENTS)]
    Sender = Literal[(*SENDERS.values(), UNKNOWN)]
    Status = Literal[(*STATUSES.values(), UNKNOWN)]


class Only(msgspec.Struct, frozen=True, kw_only=True):
    """The events that a sink gets: those that match each given list. An event without such a field does not match."""

    sender: tuple[Sender, ...] = ()
    helpdesk_id: Annotated[tuple[str, ...], Texts(r"[0-9A-Za-z_-]{1,64}", "ids of helpdesks")] = ()
    status: tuple[Status, ...] = ()
    event_type: tuple[EventType, ...] = ()


class SinkConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The settings that all types share. A sink's cursor in the journal belongs to its name."""

    name: Annotated[
        str,
        Text(r"(?!-$)[A-Za-z0-9_.-]{1,64}", "a unique name of 1 to 64 letters, digits, _ . and -, other than -"),
    ]
    type: str
    format: Literal["record", "raw", "cloudevents"] = "record"
    start: Literal["now", "earliest"] = "now"
    retry: Retry = Retry()
    only: Only | None = None
    omit: Annotated[
        tuple[str, ...], Texts(r"[^.\s]+(\.[^.\s]+)*", 'fields such as "event.ticket.agent_owner.email"')
    ] = ()
    mask: tuple[Literal["email", "phone", "long_id"], ...] = ()
    filter: str | None = None  # jq
    transform: str | None = None  # jq


class Line(msgspec.Struct, frozen=True, gc=False):
    """An event in the sink's format; `data` has no newline."""

    event: Received
    data: bytes


@dataclass(frozen=True)
class LinesWritten:
    """The first `count` lines are delivered, and `position` is after them.

    `keep_now`: the sink can't find its way from an older position, so this one must be on disk before it goes on.
    `sync`: a power loss may still take lines, of earlier deliveries too. No position may be kept before this is called;
    it returns "", or why it failed: then everything since the position that was kept last is to be delivered again.
    """

    count: int
    position: str = ""
    keep_now: bool = False
    sync: Callable[[], str] | None = None


@dataclass(frozen=True)
class NotWritten:
    """None of the lines is delivered, and a later attempt may help.

    `position` is where the sink is all the same, such as after half a line that went out; "" where nothing changed.
    """

    reason: str
    position: str = ""


@dataclass(frozen=True)
class LineRejected:
    """The lines before `index` are delivered; the one at `index` never will be."""

    index: int
    reason: str
    position: str = ""


@dataclass(frozen=True)
class Closed:
    """The other end is gone for good, after `count` lines."""

    count: int = 0


Outcome = LinesWritten | NotWritten | LineRejected | Closed


class Sink(Protocol):
    """A local sink. It runs in a thread of its own, and what it raises counts as NotWritten."""

    def open(self, position: str, upcoming: Iterator[bytes]) -> LinesWritten:
        """Opens the sink at `position`; the returned count says how many `upcoming` lines are there already."""
        ...

    def deliver(self, lines: Sequence[Line]) -> Outcome: ...

    def idle(self) -> Closed | None:
        """Does what is due while there is nothing to deliver; called now and then, or every `idle_every` seconds."""
        ...

    def reopen(self) -> None:
        """Has the next delivery open anew what it writes to (SIGHUP); called from another thread."""
        ...

    def close(self) -> None: ...


Stopping = threading.Event
"""Set when waiting no longer makes sense; a sink that waits for a reader looks at it."""
