"""An event as the journal hands it on, and the way in which such objects are printed."""

from typing import ClassVar

import msgspec


class Discreet:
    """Whatever prints it shows the fields SHOWN and no other: a payload holds the verification token."""

    __slots__ = ()
    SHOWN: ClassVar[tuple[str, ...]] = ("event_id", "event_type")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(repr(value) for _, value in self.__rich_repr__())})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return [(name, getattr(self, name)) for name in self.SHOWN]


class Received(Discreet, msgspec.Struct, frozen=True, gc=False):
    """One event as the journal keeps it: `payload` is the platform's exact bytes, `received_ms` Unix ms.

    `added` is a JSON object of what was fetched for it (formats.py's `_Added`), or b"".
    """

    SHOWN = ("seq", "event_id", "event_type")

    seq: int
    event_id: str
    event_type: str
    received_ms: int
    payload: bytes
    added: bytes = b""
