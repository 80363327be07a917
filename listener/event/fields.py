"""Lists the documented fields of every helpdesk event: one table that drives the record and its JSON Schema.

Sources: for the ticket message its document,
https://open.feishu.cn/document/server-docs/helpdesk-v1/ticket-management/ticket-message/events/created; for its
siblings the models of the official SDK (lark_oapi/api/helpdesk/v1/model).
"""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

# The text of a JSON number, short enough that none overflows: "1e400", "010" and " 1 " stay text.
NUMBER_TEXT: Final = r"-?(?:0|[1-9][0-9]{0,199})(\.[0-9]{1,199})?([eE][+-]?[0-9]{1,2})?"
JSON_TYPES: Final[frozenset[type]] = frozenset({str, int, float, bool, dict, list, type(None)})
NUMBERS: Final = (int, float)  # type(True) is neither, though True == 1
UNKNOWN: Final = "unknown"
_number = re.compile(NUMBER_TEXT).fullmatch

Kind = Literal["text", "texts", "flag", "number", "id", "object", "list"]
"""What a field is in the record; a value that can't be converted stays as it came.

`text`, `texts` (a list), `flag` (a boolean): never converted. `number`: a JSON number, also where its text came.
`id`: a string, also where a number came. `object`: an object, or a list of them. `list`: always a list of objects.
"""


class Field(NamedTuple):
    """One documented field. `fields` are those of its objects; `codes` gives the names of its numbers."""

    kind: Kind
    about: str
    fields: Mapping[str, "Field"] = MappingProxyType({})
    codes: Mapping[int, str] = MappingProxyType({})


Fields = Mapping[str, Field]

EPOCH_MS: Final = "in milliseconds since the Unix epoch"
SENDERS: Final = MappingProxyType({1: "bot", 2: "guest", 3: "agent"})
TICKET_TYPES: Final = MappingProxyType({1: "bot", 2: "human"})
STATUSES: Final = MappingProxyType(
    {
        1: "created",
        2: "processing",
        3: "queued",
        4: "pending",
        5: "waiting_for_user",
        50: "closed_by_bot",
        51: "closed_by_agent",
        52: "closed_by_user",
    }
)

USER_ID: Final[Fields] = {
    "union_id": Field("id", "Union id of the user."),
    "user_id": Field("id", "User id; only with the permission contact:user.employee_id:readonly."),
    "open_id": Field("id", "Open id of the user."),
}
COMMENT: Final[Fields] = {
    "content": Field("text", "Text of the comment."),
    "created_at": Field("number", f"When the comment was made, {EPOCH_MS}."),
    "id": Field("id", "Id of the comment."),
    "user_avatar_url": Field("text", "URL of the commenter's avatar."),
    "user_name": Field("text", "Name of the commenter."),
    "user_id": Field("id", "Id of the commenter."),
}
REASON: Final[Fields] = {
    "zh_cn": Field("text", "The reason in Chinese."),
    "en_us": Field("text", "The reason in English."),
    "ja_jp": Field("text", "The reason in Japanese."),
}
CUSTOMIZED_FIELD: Final[Fields] = {
    "id": Field("id", "Id of the customized field."),
    "value": Field("text", "Value; of a drop-down list, its children.display_name."),
    "key_name": Field("text", "Key of the customized field."),
    "display_name": Field("text", "Name that people see."),
    "position": Field("number", "Place in the order of display."),
    "required": Field("flag", "Whether a value must be given."),
    "editable": Field("flag", "Whether the value may be changed."),
}
USER: Final[Fields] = {
    "id": Field("id", "Id of the user."),
    "avatar_url": Field("text", "URL of the user's avatar."),
    "name": Field("text", "Name of the user."),
    "email": Field("text", "E-mail address of the user."),
    "department": Field("text", "Department; only with the permission for it."),
    "city": Field("text", "City of the user."),
    "country": Field("text", "Country code of the user."),
}
TICKET_USER: Final[Fields] = {**USER, "id": Field("id", "Ids of the user.", USER_ID)}
TICKET: Final[Fields] = {
    "ticket_id": Field("id", "Id of the ticket."),
    "comments": Field("list", "Comments on the ticket; always a list.", COMMENT),
    "ticket_type": Field("number", "Stage of the ticket.", codes=TICKET_TYPES),
    "status": Field("number", "Status of the ticket.", codes=STATUSES),
    "dissatisfaction_reason": Field("list", "Why the guest was dissatisfied; always a list.", REASON),
    "customized_fields": Field("object", "Customized fields that have a value.", CUSTOMIZED_FIELD),
    "agent_service_duration": Field("number", "From the agent's entry to the last reply, in minutes."),
    "agent_first_response_duration": Field("number", "From the agent's entry to the first reply, in seconds."),
    "bot_service_duration": Field("number", "From the ticket's creation to the agent's entry, in seconds."),
    "agent_resolution_time": Field("number", "From the agent's entry to the ticket's closing, in seconds."),
    "actual_processing_time": Field("number", "Time that an agent worked on the ticket, in seconds."),
    "agent_entry_time": Field("number", f"When the agent entered, {EPOCH_MS}."),
    "agent_first_response_time": Field("number", f"When the agent first replied, {EPOCH_MS}."),
    "agent_last_response_time": Field("number", f"When the agent last replied, {EPOCH_MS}."),
    "agent_owner": Field("object", "Agent in charge of the ticket.", USER),
}
CONTENT: Final[Fields] = {
    "content": Field("text", "Text of the message."),
    "msg_type": Field("text", "Type of the message: text, post (rich text) or image."),
    "image_keys": Field("texts", "Keys of the message's images."),
    "image_key": Field("text", "Key of the message's image."),
}
MESSAGE: Final[Fields] = {
    "ticket_message_id": Field("id", "Id of the ticket message."),
    "message_id": Field("id", "Open message id, om_…."),
    "msg_type": Field("text", "Type of the message; the document knows only text."),
    "position": Field("number", "Position of the message in its chat."),
    "sender_id": Field("id", "Who sent the message; a bot's message may have none.", USER_ID),
    "sender_type": Field("number", "What sent the message.", codes=SENDERS),
    "text": Field("text", "Content of the message."),
    "ticket": Field("object", "Ticket that the message belongs to.", TICKET),
    "event_id": Field("id", "Id inside the event; the delivery's identity is the record's event_id."),
    "chat_id": Field("id", "Id of the chat, numeric or oc_…."),
    "content": Field("object", "Content of the message by its type.", CONTENT),
}
TICKET_CHANGE: Final[Fields] = {
    "stage": Field("number", "Stage of the ticket: 1 bot, 2 human."),
    "status": Field("number", "Status of the ticket.", codes=STATUSES),
    "updated_at": Field("number", f"When the ticket last changed, {EPOCH_MS}."),
}
TICKET_EVENT: Final[Fields] = {
    **TICKET_CHANGE,
    "ticket_id": Field("id", "Id of the ticket."),
    "helpdesk_id": Field("id", "Id of the helpdesk."),
    "guest": Field("object", "User who opened the ticket.", TICKET_USER),
    "score": Field("number", "Rating by the guest: 1 dissatisfied, 2 average, 3 satisfied."),
    "created_at": Field("number", f"When the ticket was created, {EPOCH_MS}."),
    "closed_at": Field("number", f"When the ticket was closed, {EPOCH_MS}."),
    "agents": Field("object", "Agents of the ticket, a list.", TICKET_USER),
    "channel": Field("number", "Channel of the ticket: 2 QR code, 9 Open API, 13 search, 14 shared, others."),
    "solve": Field("number", "Whether the ticket was solved: 1 no, 2 yes."),
    "closed_by": Field("object", "User who closed the ticket.", TICKET_USER),
    "collaborators": Field("object", "Collaborators on the ticket, a list.", TICKET_USER),
    "customized_fields": Field("object", "Customized fields that have a value.", CUSTOMIZED_FIELD),
    "chat_id": Field("id", "Id of the chat, numeric or oc_…."),
}
TICKET_UPDATE: Final[Fields] = {
    "object": Field("object", "The ticket after the change.", TICKET_EVENT),
    "old_object": Field("object", "What changed, as it was before.", TICKET_CHANGE),
}
APPROVAL: Final[Fields] = {
    "notification_id": Field("id", "Id of the notification."),
    "helpdesk_id": Field("id", "Id of the helpdesk."),
    "approve_status": Field("text", "Outcome of the approval."),
}

TICKET_MESSAGE: Final = "helpdesk.ticket_message.created_v1"
EVENTS: Final[Mapping[str, Fields]] = MappingProxyType(
    {
        TICKET_MESSAGE: MESSAGE,
        "helpdesk.ticket.created_v1": TICKET_EVENT,
        "helpdesk.ticket.updated_v1": TICKET_UPDATE,
        "helpdesk.notification.approve_v1": APPROVAL,
    }
)


def number(value: object) -> object:
    """Returns the number whose JSON text `value` is; any other value stays as it is."""
    if type(value) is not str:
        return value
    if value.isdecimal() and value.isascii() and value[0] != "0" and len(value) <= 200:
        return int(value)  # nearly all, in a third of the time
    text = _number(value)
    if not text:
        return value
    return float(text[0]) if text.lastindex else int(text[0])


Change = Callable[[Any], object]


class Converter:
    """Converts a table's objects in place, in one pass over the fields that came. It is compiled once per table."""

    def __init__(self, fields: Fields) -> None:
        self._changes: dict[type, dict[str, Change]] = {kind: {} for kind in JSON_TYPES}
        self._codes = [(name, f"{name}_name", field.codes) for name, field in fields.items() if field.codes]
        for name, field in fields.items():
            for kind, change in _changes(field).items():
                self._changes[kind][name] = change

    def __bool__(self) -> bool:
        return any(self._changes.values())

    def one(self, came: dict[str, Any]) -> dict[str, Any]:
        """Returns the object, converted."""
        changes = self._changes
        for name, value in came.items():
            if name in (change := changes[type(value)]):
                came[name] = change[name](value)
        for name, beside, names in self._codes:
            if name in came and beside not in came:  # a name that the platform itself sent stays
                came[beside] = names.get(came[name], UNKNOWN) if type(came[name]) in NUMBERS else UNKNOWN
        return came

    def each(self, came: list[Any]) -> list[Any]:
        """Returns the list, every object in it converted."""
        for value in came:
            if type(value) is dict:
                self.one(value)
        return came


def _changes(field: Field) -> dict[type, Change]:
    """Returns what a field's values need, by the type that came."""
    inside = Converter(field.fields)
    changes: dict[type, Change] = {dict: inside.one, list: inside.each} if inside else {}
    if field.kind == "number":
        changes[str] = number
    elif field.kind == "id":
        changes |= {int: str, float: str}
    elif field.kind == "list":
        changes |= dict.fromkeys(JSON_TYPES - {list}, lambda came: inside.each([came]) if inside else [came])
        changes[type(None)] = lambda _: []
    return changes
