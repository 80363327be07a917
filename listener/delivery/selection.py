"""Decides which events a sink gets, by the setting `only`. Pure.

It needs no expression and no other process, and it costs microseconds. An event that `only` leaves out is passed over
and counted, not lost: with other settings, `replay` delivers it.
"""

from typing import Any

from listener.event import Received, Unparsable
from listener.event.fields import NUMBERS, SENDERS, STATUSES, UNKNOWN, number
from listener.event.payload import load, object_of
from listener.sinks.base import Only


def wants(only: Only, received: Received) -> bool:
    """Returns whether a sink with this `only` gets the event.

    An event that can't be read is wanted, since formatting it then makes it a dead letter with the reason.
    """
    if only.event_type and received.event_type not in only.event_type:
        return False
    if not (only.sender or only.status or only.helpdesk_id):
        return True
    try:
        envelope = load(received.payload)
    except Unparsable:
        return True
    event = object_of(envelope.get("event"))
    return (
        (not only.sender or _name(SENDERS, event.get("sender_type")) in only.sender)
        and (not only.status or any(_name(STATUSES, one.get("status")) in only.status for one in _tickets(event)))
        and (not only.helpdesk_id or any(str(one.get("helpdesk_id")) in only.helpdesk_id for one in _tickets(event)))
    )


def _tickets(event: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the objects of an event that may hold the status and the helpdesk of its ticket."""
    return [object_of(event.get("ticket")), object_of(event.get("object")), event]


def _name(names: Any, code: Any) -> str:
    value = number(code)
    return str(names.get(value, UNKNOWN)) if type(value) in NUMBERS else UNKNOWN
