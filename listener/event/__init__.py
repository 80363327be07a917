"""Turns payload bytes into a typed event, and into the record, raw and CloudEvents formats. Pure, no I/O."""

from listener.event.fields import TICKET_MESSAGE
from listener.event.formats import FORMATS
from listener.event.parsing import Discreet, Event, Received, parse, ticket_of, timestamp
from listener.event.payload import Unparsable, identify, message_id_of, read_json
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
    "read_json",
    "ticket_of",
    "timestamp",
]
