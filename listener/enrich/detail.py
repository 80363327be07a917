"""Puts a ticket of the API in the record's terms: its types, names for codes and for drop-downs' options. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

from listener.event.fields import TICKET, TICKET_EVENT, Converter
from listener.feishu.tickets import Row

_converter = Converter({**TICKET, **TICKET_EVENT})


def encoded(ticket: Row, names: Mapping[str, str]) -> bytes:
    """Returns the ticket as JSON; a drop-down's value is its option's name, and its id is beside it in `value_id`."""
    fields = ticket.get("customized_fields")
    for field in fields if type(fields) is list else ():
        if type(field) is dict:
            _name(field, names)
    return msgspec.json.encode(_converter.one(ticket))


def _name(field: dict[str, Any], names: Mapping[str, str]) -> None:
    value = field.get("value")
    if type(value) is str and value in names:
        field |= {"value": names[value], "value_id": value}
    elif type(value) is list and value and all(type(one) is str and one in names for one in value):
        field |= {"value": [names[one] for one in value], "value_id": value}
