"""What comes of one event at an asynchronous sink: a batch in, a result for each of its events out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from listener.sinks.base import Line


@dataclass(frozen=True)
class Delivered:
    """The other end has the event."""


@dataclass(frozen=True)
class TryAgain:
    """A later attempt may succeed, `after` seconds from now at the earliest; `scope`: what it is that fails."""

    reason: str
    after: float | None = None
    scope: Literal["event", "sink"] = "sink"


@dataclass(frozen=True)
class Rejected:
    """The other end will never take the event."""

    reason: str


Result = Delivered | TryAgain | Rejected


class AsyncSink(Protocol):
    """Runs in an event loop of its own thread. What it raises counts as TryAgain for the whole batch."""

    async def open(self) -> None: ...

    async def deliver(self, batch: Sequence[Line]) -> list[Result]: ...

    async def close(self) -> None: ...
