"""Holds the helpdesk behind the APIs: tickets, messages and images, with the field names of the official SDK's models.

What is pushed as an event is noted here too, so that the APIs tell the same story. Times are Unix milliseconds.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]
NOTED = 1000  # tickets that are known from events alone; the oldest leave
FIELD_ID = "6834320707288072194"
PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489")
"""The first bytes of a PNG of one pixel, enough to be told from other types."""


@dataclass(slots=True)
class Desk:
    """The helpdesk's tickets and messages, as the stand-in's API tells them.

    `images` are by (ticket, message, index), None for one that was deleted; `options` are a drop-down's choices by id.
    """

    helpdesk_id: str = "6626871355780366331"
    tickets: dict[str, Row] = field(default_factory=dict)
    messages: dict[str, list[Row]] = field(default_factory=dict)
    images: dict[tuple[str, str, int], bytes | None] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=lambda: {"opt_1": "VPN", "opt_2": "Printer"})

    def ticket(self, ticket_id: str, at: int, **fields: Any) -> Row:
        """Makes the ticket, or changes the one that is there."""
        ticket = self.tickets.setdefault(ticket_id, _new_ticket(ticket_id, self.helpdesk_id, at))
        ticket.update(fields, updated_at=max(at, ticket["updated_at"]))
        return ticket

    def say(self, ticket_id: str, message_id: str, text: str, at: int, **fields: Any) -> Row:
        """Adds a message to a ticket, which is made where there is none."""
        self.ticket(ticket_id, at)
        content = {"content": text, "msg_type": "text"}
        row = {
            "id": message_id,
            "message_id": f"om_{message_id}",
            "message_type": "text",
            "created_at": at,
            "content": json.dumps(content, ensure_ascii=False),
            "user_name": "李雷",
            "avatar_url": "https://example.com/avatar.webp",
            "user_id": "ou_37019b7c830210acd88fdce886e25c71",
            **fields,
        }
        self.messages.setdefault(ticket_id, []).append(row)
        return row

    def note(self, payload: Mapping[str, Any]) -> None:
        """Takes over the message of an event as it is pushed; anything else is passed over."""
        event = payload.get("event")
        ticket = event.get("ticket") if isinstance(event, dict) else None
        if not isinstance(event, dict) or not isinstance(ticket, dict) or not ticket.get("ticket_id"):
            return
        at, ticket_id = _time(payload), str(ticket["ticket_id"])
        message_id = str(event.get("ticket_message_id", ""))
        if not any(row["id"] == message_id for row in self.messages.get(ticket_id, [])):
            content = json.dumps(event.get("content", {}), ensure_ascii=False)
            kind = str(event.get("msg_type", "text"))
            self.say(ticket_id, message_id, "", at, content=content, message_type=kind)
        self.ticket(ticket_id, at, status=ticket.get("status", 1))
        if len(self.tickets) > NOTED and len(self.messages[ticket_id]) == 1:
            self.forget(next(iter(self.tickets)))

    def forget(self, ticket_id: str) -> None:
        """Deletes a ticket with all that belongs to it."""
        self.tickets.pop(ticket_id, None)
        self.messages.pop(ticket_id, None)

    def fields(self) -> list[Row]:
        """Returns the customized fields that tickets may have: one drop-down."""
        children = [{"id": one, "display_name": name} for one, name in self.options.items()]
        return [
            {
                "ticket_customized_field_id": FIELD_ID,
                "helpdesk_id": self.helpdesk_id,
                "key_name": "topic",
                "display_name": "主题 / Topic",
                "position": "1",
                "field_type": "dropdown",
                "dropdown_options": {"children": children},
            }
        ]


def _new_ticket(ticket_id: str, helpdesk_id: str, at: int) -> Row:
    person = {"id": "ou_37019b7c830210acd88fdce886e25c71", "name": "李雷", "email": "lilei@example.com"}
    agent = {"id": "ou_84aad35d084aa403a838cf73ee18467", "name": "王芳", "email": "wangfang@example.com"}
    return {
        "ticket_id": ticket_id,
        "helpdesk_id": helpdesk_id,
        "guest": person,
        "comments": {},
        "ticket_type": 2,
        "status": 2,
        "score": 0,
        "created_at": at,
        "updated_at": -1,
        "closed_at": -1,
        "agents": [agent],
        "channel": 13,
        "solve": 0,
        "collaborators": [],
        "customized_fields": [{"id": FIELD_ID, "value": "opt_1", "key_name": "topic", "display_name": "主题 / Topic"}],
        "agent_owner": agent,
        "tags": [],
    }


def _time(payload: Mapping[str, Any]) -> int:
    header = payload.get("header")
    text = str(header.get("create_time", "")) if isinstance(header, dict) else ""
    return int(text) if text.isdecimal() else 0
