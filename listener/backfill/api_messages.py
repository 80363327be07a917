"""Makes an event's payload of a ticket's message as the API has it, every field in its documented place. Pure.

The API knows neither event id nor sender type, position, chat or tenant; these are absent.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from listener.event import TICKET_MESSAGE
from listener.event.fields import TICKET, number
from listener.event.payload import check_depth
from listener.journal.messages import PREFIX

Row = dict[str, Any]
_OWN = {"id", "message_id", "message_type", "created_at", "content", "user_id"}


def created_ms(message: Row) -> int | None:
    """Returns when a message was made, in Unix ms, whether the API has it in seconds or ms; None where it has none."""
    at = number(message.get("created_at"))
    if type(at) is not int or at <= 0:
        return None
    return at * 1000 if at < 10**11 else at


def in_order(messages: Iterable[Row]) -> list[Row]:
    """Sorts messages by time, those of one moment by id; repetitions are left out, and messages without an id."""
    by_id = {str(one["id"]): one for one in messages if type(one.get("id")) in (str, int) and one["id"] != ""}
    return sorted(by_id.values(), key=lambda one: (created_ms(one) or 0, _numeric(one["id"]), str(one["id"])))


def payload(message: Row, ticket: Row, app_id: str) -> tuple[str, bytes]:
    """Returns the event id and the payload of a fetched message."""
    event_id = f"{PREFIX}{message['id']}"
    header: Row = {"event_id": event_id, "event_type": TICKET_MESSAGE}
    if (at := created_ms(message)) is not None:
        header["create_time"] = str(at)
    envelope = {
        "schema": "2.0",
        "header": header | {"app_id": app_id},
        "event": _event(message, ticket),
        "source": "backfill",
    }
    return event_id, msgspec.json.encode(envelope)


def _event(message: Row, ticket: Row) -> Row:
    content = _content(message.get("content"))
    event: Row = {"ticket_message_id": str(message["id"])}
    if "message_id" in message:
        event["message_id"] = message["message_id"]
    if "message_type" in message:
        event["msg_type"] = message["message_type"]
    if sender := _sender(message.get("user_id")):
        event["sender_id"] = sender
    if type(content) is dict and type(content.get("content")) is str and event.get("msg_type", "text") == "text":
        event["text"] = content["content"]
    event["ticket"] = {name: value for name, value in ticket.items() if name in TICKET}
    if content is not None:
        event["content"] = content
    return event | {name: value for name, value in message.items() if name not in _OWN}


def _content(content: Any) -> Any:
    """Returns the object that a message's content holds as JSON in a string; any other content stays as it is."""
    if type(content) is not str or not content.lstrip().startswith("{"):
        return content
    try:
        check_depth(f"[[{content}]]".encode())  # in the event it stands two levels deeper
        return msgspec.json.decode(content)
    except ValueError:
        return content


def _sender(user_id: Any) -> Row:
    """Returns the sender's id in its place: its form says which of the three kinds it is."""
    if type(user_id) not in (str, int) or user_id in ("", 0, "0"):
        return {}
    text = str(user_id)
    names = {"ou_": "open_id", "on_": "union_id"}
    return {names.get(text[:3], "user_id"): text}


def _numeric(value: Any) -> int:
    return int(value) if str(value).isdecimal() and len(str(value)) < 30 else 0
