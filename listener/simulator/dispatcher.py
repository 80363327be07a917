"""Pushes events and pushes them again: the platform's promise of at-least-once, at the pace it documents.

An event goes to one random open connection. It is settled by an ack of 200 within the ack timeout. Another
code, silence, or the loss of the connection bounces it: it is pushed again after the schedule's next delay,
and given up when the schedule is used up. With no connection open it waits, which costs no attempt.
"""

import asyncio
import json
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Literal
from weakref import WeakValueDictionary

from listener.simulator.connection import Connection
from listener.simulator.delivery import OK, Ack, Delivery
from listener.simulator.frames import Frame
from listener.simulator.watch import Watch

SCHEDULE = (15.0, 300.0, 3600.0, 21600.0)  # s; the platform's own
ACK_TIMEOUT = 3.0  # s
LOG_LIMIT = 200_000  # acks kept for inspection
RECENT = 10_000  # events


class Dispatcher:
    """Pushes events, watches for their acks, and pushes again by the schedule.

    `pick` returns the connection for the next push, or None while there is none.
    """

    def __init__(
        self,
        pick: Callable[[], Connection | None],
        watch: Watch,
        *,
        ack_timeout: float = ACK_TIMEOUT,
        schedule: Sequence[float] = SCHEDULE,
    ) -> None:
        self.ack_timeout = ack_timeout
        self.schedule = schedule
        self.acks: deque[Ack] = deque(maxlen=LOG_LIMIT)
        self.stray_acks: deque[Ack] = deque(maxlen=LOG_LIMIT)  # of unknown messages, or on a wrong connection
        self.counts: Counter[str] = Counter()  # pushes, redelivered, acked, given_up
        self._pick = pick
        self._watch = watch
        self._known: WeakValueDictionary[str, Delivery] = WeakValueDictionary()
        self._waiting: deque[Delivery] = deque()
        self._timers: dict[Delivery, asyncio.TimerHandle] = {}
        self._in_flight: dict[Delivery, int] = {}  # and the id of the connection it is on
        self._recent: deque[Delivery] = deque(maxlen=RECENT)  # kept known for late and repeated acks

    @property
    def unsettled(self) -> int:
        """Counts the events that wait, are in flight, or were bounced."""
        return len(self._waiting) + len(self._timers)

    def push(self, delivery: Delivery) -> None:
        """Sends the event now, or as soon as a connection opens."""
        self._know(delivery)
        connection = self._pick()
        if connection is None:
            delivery.state = "waiting"
            self._waiting.append(delivery)
            return
        self._send(delivery, connection)
        delivery.state = "pushed"
        self._in_flight[delivery] = connection.id
        self._arm(delivery, self.ack_timeout, self.bounce)

    def repeat(self, delivery: Delivery) -> None:
        """Sends the event once more although nothing asks for it, since duplicates come after success too."""
        connection = self._pick()
        if connection is None:
            raise ConnectionError("no connection is open to repeat the event on")
        self._know(delivery)
        self._send(delivery, connection)

    def adopt(self, delivery: Delivery, connection: Connection, at: float) -> None:
        """Takes over an event that was pushed by other means and came to nothing."""
        self._know(delivery)
        delivery.pushed_at.append(at)
        delivery.connection_ids.append(connection.id)
        self.bounce(delivery)

    def bounce(self, delivery: Delivery) -> None:
        """Takes the last push as failed: schedules the next one, or gives up."""
        self._forget(delivery)
        attempt = delivery.pushes
        if attempt > len(self.schedule):
            self._settle(delivery, "given_up")
            return
        delivery.state = "bounced"
        delivery.watch.changed()
        self._arm(delivery, self.schedule[attempt - 1], self.push)

    def on_open(self) -> None:
        """Sends what waited for a connection."""
        waiting, self._waiting = self._waiting, deque()
        for delivery in waiting:
            self.push(delivery)

    def on_closing(self, connection: Connection) -> None:
        """Bounces what the ending connection has not acked, and will not ack any more."""
        for delivery in [one for one, on in self._in_flight.items() if on == connection.id]:
            self.bounce(delivery)

    def on_ack(self, connection: Connection, frame: Frame) -> None:
        """Records the ack; one that came in time settles or bounces the event."""
        delivery = self._known.get(frame.header("message_id") or "")
        if delivery is None or connection.id not in delivery.connection_ids:
            self.stray_acks.append(_ack(connection, frame, in_time=False))
            return
        in_time = self._in_flight.get(delivery) == connection.id
        self._record(delivery, _ack(connection, frame, in_time=in_time))

    def close(self) -> None:
        """Forgets everything, timers included."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._waiting.clear()
        self._in_flight.clear()

    def _know(self, delivery: Delivery) -> None:
        if self._known.get(delivery.message_id) is not delivery:
            self._known[delivery.message_id] = delivery
            self._recent.append(delivery)

    def _record(self, delivery: Delivery, ack: Ack) -> None:
        delivery.acks.append(ack)
        self.acks.append(ack)
        if ack.in_time and ack.code == OK:
            self._forget(delivery)
            self._settle(delivery, "acked")
        elif ack.in_time:
            self.bounce(delivery)
        delivery.watch.changed()

    def _send(self, delivery: Delivery, connection: Connection) -> None:
        delivery.pushed_at.append(time.monotonic())
        delivery.connection_ids.append(connection.id)
        self.counts["pushes"] += 1
        self.counts["redelivered"] += delivery.pushes > 1
        for index in delivery.order:
            connection.send(delivery.frames[index])
        delivery.watch.changed()

    def _settle(self, delivery: Delivery, state: Literal["acked", "given_up"]) -> None:
        delivery.state = state
        self.counts[state] += 1
        delivery.watch.changed()
        self._watch.changed()
        if delivery.settled is not None:
            delivery.settled(delivery)

    def _arm(self, delivery: Delivery, seconds: float, call: Callable[[Delivery], None]) -> None:
        self._timers[delivery] = asyncio.get_running_loop().call_later(seconds, self._due, delivery, call)

    def _due(self, delivery: Delivery, call: Callable[[Delivery], None]) -> None:
        self._timers.pop(delivery, None)
        call(delivery)

    def _forget(self, delivery: Delivery) -> None:
        """Takes the event out of flight, and cancels its timer."""
        if (timer := self._timers.pop(delivery, None)) is not None:
            timer.cancel()
        self._in_flight.pop(delivery, None)


def _ack(connection: Connection, frame: Frame, *, in_time: bool) -> Ack:
    return Ack(
        message_id=frame.header("message_id") or "",
        code=ack_code(frame.payload),
        at=time.monotonic(),
        biz_rt=frame.header("biz_rt"),
        headers=tuple(frame.headers),
        connection_id=connection.id,
        in_time=in_time,
    )


def ack_code(payload: bytes) -> int | None:
    """Returns the code in an ack's payload, None where there is none."""
    try:
        found = json.loads(payload)
    except ValueError:
        return None
    number = found.get("code") if isinstance(found, dict) else None
    return number if isinstance(number, int) else None
