"""Events that hold documented fields alone, in documented shapes: nearly all of them, read in a third less time. Pure.

msgspec fills objects that have a slot for each field of `fields.EVENTS`, where the general way (formats.py) fills dicts
and walks through them. It refuses what else an event may hold; that takes the general way. Both come to the same
record, but for the order of an object's fields: here it is the table's.
"""

from collections.abc import Mapping
from types import GenericAlias, MappingProxyType
from typing import Any, Final

import msgspec
from msgspec import UNSET

from listener.event.fields import EVENTS, NUMBERS, TICKET_MESSAGE, UNKNOWN, Fields, number
from listener.event.payload import check_depth


class Header(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The header of an envelope in the second version of the schema."""

    event_id: str
    event_type: str
    create_time: Any = UNSET
    token: Any = UNSET
    app_id: Any = UNSET
    tenant_key: Any = UNSET


class Shape:
    """A table's objects: `type` has their fields, `convert` changes one in place as the table wants it."""

    def __init__(self, name: str, fields: Fields) -> None:
        inner = {key: Shape(f"{name}_{key}", field.fields) for key, field in fields.items() if field.fields}
        self._numbers = [key for key, field in fields.items() if field.kind == "number"]
        self._ids = [key for key, field in fields.items() if field.kind == "id" and key not in inner]
        self._objects = [(key, shape, fields[key].kind == "list") for key, shape in inner.items()]
        self._codes = [(key, f"{key}_name", field.codes) for key, field in fields.items() if field.codes]
        slots: list[tuple[str, Any, Any]] = [(key, inner[key].any if key in inner else Any, UNSET) for key in fields]
        slots += [(beside, Any, UNSET) for _, beside, _ in self._codes]
        self.type: Any = msgspec.defstruct(name, slots, forbid_unknown_fields=True, gc=False)
        self.any: Any = self.type | GenericAlias(list, (self.type,)) | msgspec.UnsetType | None

    def convert(self, came: Any) -> None:
        """Gives the object the types that the record has."""
        for key in self._numbers:
            if type(value := getattr(came, key)) is str:
                setattr(came, key, number(value))
        for key in self._ids:
            if type(value := getattr(came, key)) is not str and type(value) in NUMBERS:
                setattr(came, key, str(value))
        for key, shape, as_list in self._objects:
            value = getattr(came, key)
            if as_list and value is not UNSET and type(value) is not list:
                setattr(came, key, value := [] if value is None else [value])
            shape.within(value)
        self._name_codes(came)

    def within(self, value: Any) -> None:
        """Converts the object, or each one of a list; null and what did not come stay."""
        if type(value) is list:
            for one in value:
                self.convert(one)
        elif value is not None and value is not UNSET:
            self.convert(value)

    def _name_codes(self, came: Any) -> None:
        for key, beside, names in self._codes:
            if (code := getattr(came, key)) is not UNSET and getattr(came, beside) is UNSET:
                setattr(came, beside, names.get(code, UNKNOWN) if type(code) in NUMBERS else UNKNOWN)


def _decoder(name: str, shape: Shape) -> Any:
    slots: list[tuple[str, Any] | tuple[str, Any, Any]] = [
        ("header", Header),
        ("event", shape.type),
        ("schema", Any, UNSET),
    ]
    return msgspec.json.Decoder(msgspec.defstruct(name, slots, forbid_unknown_fields=True, gc=False)).decode


_SHAPES: Final = {kind: Shape(kind.replace(".", "_"), fields) for kind, fields in EVENTS.items()}
_DECODERS: Final[Mapping[str, Any]] = MappingProxyType(
    {kind: _decoder("Envelope", one) for kind, one in _SHAPES.items()}
)


def documented(payload: bytes, event_type: str) -> Any:
    """The envelope, its event converted; None where it takes the general way. Raises Unparsable for its depth."""
    if event_type not in _DECODERS:
        return None
    check_depth(payload)
    try:
        envelope = _DECODERS[event_type](payload)
    except (ValueError, RecursionError):
        return None
    header, event = envelope.header, envelope.event
    if not header.event_id or header.event_type != event_type:
        return None
    if event_type == TICKET_MESSAGE and not _is_plain(event):
        return None
    _SHAPES[event_type].convert(event)
    return envelope


def _is_plain(event: Any) -> bool:
    """Whether the message's text is what people read: a rich text is told by plain_text.py."""
    text = event.text
    return type(text) is str and text != "" and text[0] not in "{[" and event.msg_type in ("text", None, UNSET)
