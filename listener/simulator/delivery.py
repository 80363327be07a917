"""Follows one event on its way to the client: its frames, its pushes, its acks."""

import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, pairwise
from typing import Any, Literal

from listener.simulator import frames
from listener.simulator.frames import DATA, Frame
from listener.simulator.watch import TIMEOUT, Watch

SERVICE_ID = 33554678
OK = 200

State = Literal["waiting", "pushed", "bounced", "acked", "given_up"]

_sequence = count(1)


class Undelivered(Exception):
    """The event was given up, since its last redelivery was not acked either."""


@dataclass(frozen=True, slots=True)
class Ack:
    """One answer of the client, as it came. `at` is `time.monotonic()`, `biz_rt` the client's milliseconds.

    `in_time` is False when it came after the ack timeout, or on a push that was given up otherwise: such an ack changes
    nothing, and the redelivery comes all the same.
    """

    message_id: str
    code: int | None
    at: float
    biz_rt: str | None
    headers: tuple[tuple[str, str], ...]
    connection_id: int
    in_time: bool


@dataclass(slots=True, eq=False, weakref_slot=True)
class Delivery:
    """An event and all that happened to it. Times are `time.monotonic()`.

    `frames` are the encoded parts, `order` the sequence in which each push sends them: parts may be swapped,
    repeated or left out; empty means that the test sends them itself.
    """

    payload: bytes
    message_id: str
    frames: list[bytes]
    order: Sequence[int]
    state: State = "waiting"
    pushed_at: list[float] = field(default_factory=list)
    connection_ids: list[int] = field(default_factory=list)
    acks: list[Ack] = field(default_factory=list)
    settled: Callable[["Delivery"], None] | None = None  # called once: acked or given up
    watch: Watch = field(default_factory=Watch, repr=False)

    @property
    def pushes(self) -> int:
        """Returns how often the event was sent."""
        return len(self.pushed_at)

    @property
    def codes(self) -> list[int | None]:
        """Returns the acks' codes."""
        return [ack.code for ack in self.acks]

    async def acked(self, within: float = TIMEOUT) -> Ack:
        """Waits for the ack of 200 that settles the event, and returns it.

        Raises:
            Undelivered: given up after the last redelivery.
            TimeoutError: neither within `within` seconds.
        """
        done = ("acked", "given_up")
        await self.watch.until(lambda: self.state in done, f"{self.message_id} acked", within)
        if self.state == "given_up":
            raise Undelivered(f"{self.message_id}: {self.pushes} pushes, acks {self.codes}")
        return next(ack for ack in reversed(self.acks) if ack.code == OK and ack.in_time)

    async def answered(self, times: int = 1, within: float = TIMEOUT) -> list[Ack]:
        """Waits until there are that many acks, of whatever code, and returns them."""
        what = f"{self.message_id} answered {times} times"
        await self.watch.until(lambda: len(self.acks) >= times, what, within)
        return self.acks


def new_delivery(
    payload: bytes | Mapping[str, Any],
    *,
    parts: int = 1,
    order: Sequence[int] | None = None,
    message_type: str = "event",
    headers: Mapping[str, str] | None = None,
    message_id: str | None = None,
) -> Delivery:
    """Makes a delivery of these bytes, or of this object as JSON, cut into `parts`; `headers` override or add."""
    data = payload if isinstance(payload, bytes) else _compact(payload)
    message_id = message_id or secrets.token_hex(16)
    common = push_headers(message_id, message_type)
    encoded = [
        frames.encode(_data_frame({**common, "sum": str(parts), "seq": str(seq), **(headers or {})}, part))
        for seq, part in enumerate(split(data, parts))
    ]
    return Delivery(data, message_id, encoded, range(parts) if order is None else order)


def push_headers(message_id: str, message_type: str = "event") -> dict[str, str]:
    """Returns the headers of an unsplit push, in the platform's order; `instance_id` must come back untouched."""
    return {
        "type": message_type,
        "message_id": message_id,
        "sum": "1",
        "seq": "0",
        "trace_id": message_id[::-1],
        "timestamp": str(int(time.time() * 1000)),
        "instance_id": "stand-in-7",
    }


def split(data: bytes, parts: int) -> list[bytes]:
    """Returns `data` in that many pieces of nearly equal size, the longer ones last."""
    edges = [len(data) * index // parts for index in range(parts + 1)]
    return [data[start:end] for start, end in pairwise(edges)]


def _compact(payload: Mapping[str, Any]) -> bytes:
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


def _data_frame(headers: Mapping[str, str], payload: bytes) -> Frame:
    return Frame(
        seq_id=next(_sequence),
        log_id=secrets.randbits(63),
        service=SERVICE_ID,
        method=DATA,
        headers=list(headers.items()),
        payload_encoding="json",
        payload_type="json",
        payload=payload,
        log_id_new=secrets.token_hex(16),
    )
