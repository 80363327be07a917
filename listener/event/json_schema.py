"""Makes the JSON Schema 2020-12 of the `record` format, from the table of documented fields.

A record never fails for what the platform sent, so each field allows its type or a value "as it came", and the schema
still says what was promised: no number's text where a number could be, no number where an id must be.
"""

from collections.abc import Mapping
from typing import Any

from listener.event.fields import EVENTS, NUMBER_TEXT, UNKNOWN, Field, Fields

Schema = dict[str, Any]


def record_schema() -> dict[str, object]:
    """Returns the schema of a record; `$defs` holds the objects inside `event`, by the name of their field."""
    defs: dict[str, Schema] = {name: dict(schema) for name, schema in _AS_IT_CAME.items()}
    events = [_event(event_type, fields, defs) for event_type, fields in EVENTS.items()]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "helpdesk-listen record",
        "description": "One helpdesk event. Fields that no document names are kept at their place, as they came.",
        "type": "object",
        "required": ["event_id", "received_at", "seq"],
        "properties": _ENVELOPE,
        "additionalProperties": {"description": "A field of header or envelope that no document names."},
        "allOf": events,
        "$defs": defs,
    }


def _event(event_type: str, fields: Fields, defs: dict[str, Schema]) -> Schema:
    about = f"The object of {event_type} under its documented names."
    this_type = {"event_type": {"description": "Type of the event.", "const": event_type}}
    return {
        "if": {"required": ["event_type"], "properties": this_type},
        "then": {"properties": {"event": _object(about, fields, defs)}},
    }


def _object(about: str, fields: Fields, defs: dict[str, Schema]) -> Schema:
    """Returns a schema of objects with these fields, which lets anything else pass."""
    properties: Schema = {}
    for name, field in fields.items():
        properties[name] = _field(name, field, defs)
        if field.codes:
            properties[f"{name}_name"] = _code_name(name, field.codes)
    return {"description": about, "properties": properties}


def _field(name: str, field: Field, defs: dict[str, Schema]) -> Schema:
    schema = {"description": _about(field)} | _KINDS[field.kind]
    if not field.fields:
        return schema
    defs[name] = _object(f"One object of {name}.", field.fields, defs)
    reference = {"$ref": f"#/$defs/{name}"}
    return schema | {"items": reference} | ({} if field.kind == "list" else reference)


def _about(field: Field) -> str:
    codes = ", ".join(f"{code} {name}" for code, name in field.codes.items())
    return f"{field.about} Codes: {codes}." if codes else field.about


def _code_name(name: str, codes: Mapping[int, str]) -> Schema:
    about = f"Name of the code in {name}; a field of this name that the platform itself sent stays instead."
    return {"description": about} | _either({"enum": [*codes.values(), UNKNOWN]}, "any")


def _either(documented: Schema, as_it_came: str) -> Schema:
    return {"anyOf": [documented, {"$ref": f"#/$defs/{as_it_came}"}]}


_AS_IT_CAME: dict[str, Schema] = {
    "any": {"description": "Anything, as it came."},
    "no_number": {
        "description": "A value that can't be read as a number, as it came.",
        "type": ["string", "boolean", "object", "array", "null"],
        # Python's $ also matches before a newline at the end.
        "not": {"type": "string", "pattern": f"^(?:{NUMBER_TEXT})$(?!\\n)"},
    },
    "no_id": {
        "description": "A value that can't be read as an id, as it came.",
        "type": ["boolean", "object", "array", "null"],
    },
}
_KINDS: dict[str, Schema] = {
    "text": _either({"type": "string"}, "any"),
    "texts": _either({"type": "array", "items": {"type": "string"}}, "any"),
    "flag": _either({"type": "boolean"}, "any"),
    "number": _either({"type": "number"}, "no_number"),
    "id": _either({"type": "string"}, "no_id"),
    "object": _either({"type": ["object", "array"]}, "any"),
    "list": {"type": "array"},
}
_TIME: Schema = {"type": "string", "format": "date-time"}
_ENVELOPE: Schema = {
    "event_id": {"description": "Identity of the event.", "type": "string", "minLength": 1},
    "event_type": {"description": "Type of the event."} | _KINDS["text"],
    "created_at": {"description": "When the event happened, RFC 3339 in UTC with milliseconds."}
    | _either(_TIME, "any"),
    "received_at": {"description": "When the event was received, RFC 3339 in UTC with milliseconds."} | _TIME,
    "app_id": {"description": "Id of the app that received the event."} | _KINDS["id"],
    "tenant_key": {"description": "Key of the tenant."} | _KINDS["text"],
    "schema": {"description": "Version of the platform's envelope, 2.0."} | _KINDS["text"],
    "event": {"description": "The event's object; its fields depend on event_type."},
    "plain_text": {
        "description": "The message as people read it, from text, rich text or JSON content; pictures as [image].",
        "type": "string",
    },
    "seq": {"description": "Number of the event in the journal, rising, with gaps.", "type": "integer"},
    "ticket_detail": {
        "description": "The ticket as the API had it when the event went out ([enrich] ticket).",
        "type": "object",
    },
    "ticket_detail_error": {"description": "Why there is no ticket_detail.", "type": "string"},
    "attachments": {
        "description": "The message's images ([enrich] attachments): index, and file, type, size, sha256, or error.",
        "type": "array",
        "items": {"type": "object", "required": ["index"]},
    },
    "source": {"description": "backfill: the message was fetched by the API, not pushed."},
    "extra": {
        "description": "Fields of header or envelope that no document names and whose name the record uses.",
        "type": "object",
    },
}
