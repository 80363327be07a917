"""Drives the benchmark: keeps a window of events in flight, at the least cost per event.

An ack is told apart by the raw bytes of its SeqID (five, by choice of the numbers), so that the common one needs no
decoding; frames are stamped from one template. What is not simply acked in time goes the dispatcher's way. The acks of
a flood are counted, not logged in `Platform.acks`.
"""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from listener.simulator import frames, websocket_codec
from listener.simulator.connection import Connection
from listener.simulator.delivery import OK, SERVICE_ID, Delivery, new_delivery, push_headers
from listener.simulator.dispatcher import Dispatcher, ack_code
from listener.simulator.frames import DATA, Frame
from listener.simulator.websocket_codec import WebSocketMessage

PayloadFactory = Callable[[int], bytes]

_OK_ENDINGS = (b'{"code": 200}', b'{"code":200}')
_FIRST_SEQ = 1 << 28  # varints of five bytes, up to 1 << 35
_MARK = "flood-000000000000"


@dataclass(frozen=True, slots=True)
class FloodResult:
    """How a flood went.

    latencies: seconds from push to ack, of the events acked on their first push, in order of the acks.
    bounced: how many events' first push failed. given_up: the payloads of those that were never acked.
    """

    count: int
    seconds: float
    latencies: list[float] = field(repr=False)
    bounced: int = 0
    given_up: list[bytes] = field(default_factory=list, repr=False)

    @property
    def rate(self) -> float:
        """Returns the acked events a second."""
        return (self.count - len(self.given_up)) / self.seconds

    def percentile(self, percent: float) -> float:
        """Returns the latency that so many percent of the events stay within, in seconds."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


class Flooded(Protocol):
    """What a flood needs of the platform."""

    connections: list[Connection]
    dispatcher: Dispatcher


@dataclass(slots=True)
class _Push:
    at: float
    connection: Connection
    message_id: str
    payload: bytes


class Flood:
    """One run of `Platform.flood`, which pushes events as fast as they are acked."""

    def __init__(self, platform: Flooded, count: int, unacked: int, payload_factory: PayloadFactory) -> None:
        self._platform = platform
        self._count = count
        self._unacked = unacked
        self._payload = payload_factory
        self._next = 0
        self._in_flight: dict[bytes, _Push] = {}
        self._bounced: set[Delivery] = set()
        self._latencies: list[float] = []
        self._given_up: list[bytes] = []
        self._bounces = self._settled = 0
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._stamp = _stamp()

    async def run(self) -> FloodResult:
        """Pushes events until all are acked or given up."""
        started = time.monotonic()
        timeout = self._platform.dispatcher.ack_timeout
        self.refill()
        while not self._done.done():
            await asyncio.wait([self._done], timeout=timeout / 4)
            self._expire(time.monotonic() - timeout)
        seconds = time.monotonic() - started
        return FloodResult(self._count, seconds, self._latencies, self._bounces, self._given_up)

    def take(self, connection: Connection, messages: list[WebSocketMessage]) -> list[WebSocketMessage]:
        """Handles the acks of its own pushes; returns the other messages."""
        now = time.monotonic()
        others = []
        for message in messages:
            data = message.data
            push = self._in_flight.pop(data[1:6], None)
            if push is None:
                others.append(message)
            elif push.connection is connection and (data.endswith(_OK_ENDINGS) or _is_ok(data)):
                self._latencies.append(now - push.at)
                self._settled += 1
            else:
                self._bounce(push)
                others.append(message)
        self.refill()
        return others

    def refill(self) -> None:
        """Tops the window up, with one write per connection."""
        free = self._unacked - len(self._in_flight) - len(self._bounced)
        upto = min(self._next + free, self._count)
        live = [one for one in self._platform.connections if not one.silenced]
        if live and self._next < upto:
            self._push(range(self._next, upto), live)
            self._next = upto
        if self._settled == self._count and not self._done.done():
            self._done.set_result(None)

    def on_closing(self, connection: Connection) -> None:
        """Bounces what was in flight on that connection."""
        self._fail([key for key, push in self._in_flight.items() if push.connection is connection])

    def _push(self, indexes: range, live: list[Connection]) -> None:
        now = time.monotonic()
        batches: dict[Connection, list[bytes]] = {one: [] for one in live}
        for index in indexes:
            connection = live[0] if len(live) == 1 else random.choice(live)
            payload, seq = self._payload(index), frames.varint(_FIRST_SEQ + index)
            message_id, stamped = self._stamp(index, seq, payload)
            batches[connection] += stamped
            self._in_flight[seq] = _Push(now, connection, message_id, payload)
        for connection, pieces in batches.items():
            connection.write(b"".join(pieces))

    def _expire(self, before: float) -> None:
        self._fail([key for key, push in self._in_flight.items() if push.at < before])

    def _fail(self, keys: list[bytes]) -> None:
        for key in keys:
            self._bounce(self._in_flight.pop(key))

    def _bounce(self, push: _Push) -> None:
        delivery = new_delivery(push.payload, message_id=push.message_id)
        delivery.settled = self._settle
        self._bounces += 1
        self._bounced.add(delivery)
        self._platform.dispatcher.adopt(delivery, push.connection, push.at)

    def _settle(self, delivery: Delivery) -> None:
        self._bounced.discard(delivery)
        if delivery.state == "given_up":
            self._given_up.append(delivery.payload)
        self._settled += 1
        self.refill()


def _is_ok(data: bytes) -> bool:
    try:
        return ack_code(frames.decode(data).payload) == OK
    except ValueError:
        return False


def default_payload(index: int) -> bytes:
    """Returns a small but whole ticket message, with a new event id for each index."""
    return (
        b'{"schema":"2.0","header":{"event_id":"%032x","event_type":"helpdesk.ticket_message.created_v1",'
        b'"create_time":"1608725989000","token":"","app_id":"cli_a5ca1ab1e0ddba11","tenant_key":"2ca1d211f64f6438"},'
        b'"event":{"ticket_message_id":"%d","message_id":"om_8baa3656c7b41900d29bf9104bf5310b","msg_type":"text",'
        b'"position":"10","sender_type":2,"text":"hello","ticket":{"ticket_id":"6626871355780366331","status":2},'
        b'"chat_id":"6949088236610273307","content":{"content":"hello","msg_type":"text"}}}'
    ) % (index, 6949088240624222236 + index)


def _stamp() -> Callable[[int, bytes, bytes], tuple[str, tuple[bytes, ...]]]:
    """Returns a function (index, SeqID, payload) -> (message id, pieces of the websocket frame)."""
    headers = [*push_headers(_MARK).items()]
    template = frames.encode(Frame(_FIRST_SEQ, 1, SERVICE_ID, DATA, headers, payload=b""))
    before, after = template[6:].split(_MARK.encode(), 1)
    size = len(template) + 1

    def stamp(index: int, seq: bytes, payload: bytes) -> tuple[str, tuple[bytes, ...]]:
        message_id, length = f"flood-{index:012d}", frames.varint(len(payload))
        head = websocket_codec.frame_head(websocket_codec.BINARY, size + len(length) + len(payload))
        return message_id, (head, b"\x08", seq, before, message_id.encode(), after, b"\x42", length, payload)

    return stamp
