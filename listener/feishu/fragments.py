"""Joins the frames into which the platform split an event. Pure: the caller passes the time.

It is bounded in parts, bytes and open messages; the SDK's own way is not, and it forgets a late part after 5 s.
"""

from dataclasses import dataclass, field

MAX_PARTS = 256
MAX_BYTES = 16 * 2**20  # all open messages together, their ids included
MAX_OPEN = 64  # messages
LIFETIME = 60.0  # seconds


class BadFragment(ValueError):
    """A part can't belong to any message; it is dropped."""


@dataclass
class _Open:
    total: int
    since: float
    parts: dict[int, bytes] = field(default_factory=dict)


class Fragments:
    """Joins the parts of one connection's messages, within bounds of number, size and age."""

    def __init__(self) -> None:
        self.messages: dict[str, _Open] = {}  # by message id, the oldest first
        self.held = 0  # bytes

    def add(self, message_id: str, total: int, index: int, part: bytes, now: float) -> bytes | None:
        """Adds a part at `now` seconds; returns the payload once all parts are there, else None. Raises BadFragment."""
        if not (0 < total <= MAX_PARTS and 0 <= index < total):
            raise BadFragment(f"part {index} of {total}")
        self._expire(now)
        message = self.messages.get(message_id) or self._new(message_id, total, now)
        if message.total != total:
            raise BadFragment(f"part of {total}, where {message.total} were announced")
        if index not in message.parts:
            message.parts[index] = part
            self.held += len(part)
            self._bound()
        if len(message.parts) < total:
            return None
        self._drop(message_id)
        return b"".join(message.parts[i] for i in range(total))

    def _new(self, message_id: str, total: int, now: float) -> _Open:
        message = self.messages[message_id] = _Open(total, now)
        self.held += len(message_id)
        return message

    def _expire(self, now: float) -> None:
        for message_id in [m for m, o in self.messages.items() if now - o.since > LIFETIME]:
            self._drop(message_id)

    def _bound(self) -> None:
        """Drops the oldest messages over the bounds: the platform pushes again what got no ack."""
        while len(self.messages) > MAX_OPEN or self.held > MAX_BYTES:
            self._drop(next(iter(self.messages)))

    def _drop(self, message_id: str) -> None:
        if message := self.messages.pop(message_id, None):
            self.held -= len(message_id) + sum(map(len, message.parts.values()))
