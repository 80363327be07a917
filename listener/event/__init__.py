"""The event, pure: payload bytes to a typed event, and to the record, raw and CloudEvents formats. No I/O."""

from listener.event.formats import (
    FORMATS,
    TICKET_MESSAGE,
    Discreet,
    Event,
    Received,
    identify,
    parse,
    ticket_of,
    timestamp,
)
from listener.event.payload import Unparsable, message_id_of
from listener.event.plain_text import pictures_of

__all__ = [
    "FORMATS",
    "TICKET_MESSAGE",
    "Discreet",
    "Event",
    "Received",
    "Unparsable",
    "identify",
    "message_id_of",
    "parse",
    "pictures_of",
    "ticket_of",
    "timestamp",
]
