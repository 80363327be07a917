"""Takes messages that the app's bot sends: POST /open-apis/im/v1/messages, with the documented checks and limits."""

import json
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from listener.simulator.faults import Reply, code, reply
from listener.simulator.http1 import HttpRequest

MESSAGES_PATH = "/open-apis/im/v1/messages"
SEND_SCOPE = "im:message:send_as_bot"
DEMO_CHAT = "oc_a0553eda9014c201e6969b478895c230"
MAX_BODY = 150 * 1024  # bytes
PER_SECOND = 5  # to one chat
REMEMBERED = 3600.0  # seconds in which a uuid sends one message at most


class ChatMessage(NamedTuple):
    """A message as the members of a chat see it."""

    chat_id: str
    text: str
    uuid: str


@dataclass
class Chats:
    """The chats of the stand-in, and what was posted to them.

    `joined` are those that the app's bot is in, `messages` what it has sent, `requests` the times of all attempts.
    """

    joined: set[str] = field(default_factory=lambda: {DEMO_CHAT})
    messages: list[ChatMessage] = field(default_factory=list)
    requests: deque[float] = field(default_factory=lambda: deque(maxlen=1000))
    _uuids: dict[str, float] = field(default_factory=dict)

    def take(self, request: HttpRequest) -> Reply:
        """Sends a text message, or answers why not; with a uuid that it knows it sends nothing and succeeds."""
        now = time.monotonic()
        recent = sum(now - at < 1.0 for at in self.requests)
        self.requests.append(now)
        message = _read(request)
        if isinstance(message, Reply):
            return message
        if message.chat_id not in self.joined:
            return code(230002, "The bot can not be outside the group.", 400)
        if recent >= PER_SECOND:
            return code(230020, "This operation triggers the frequency limit.", 400)
        if not message.uuid or now - self._uuids.get(message.uuid, -REMEMBERED) >= REMEMBERED:
            self._uuids[message.uuid] = now
            self.messages.append(message)
        return reply({"code": 0, "msg": "success", "data": {"chat_id": message.chat_id}})


def _read(request: HttpRequest) -> ChatMessage | Reply:
    body = request.json()
    invalid = code(230001, "Your request contains an invalid request parameter.", 400)
    if not isinstance(body, dict) or request.query.get("receive_id_type") != "chat_id":
        return invalid
    if len(request.body) > MAX_BODY:
        return code(230025, "The length of the message content reaches its limit.", 400)
    text, uuid = _text(body), body.get("uuid", "")
    if not text or not isinstance(uuid, str) or len(uuid) > 50 or body.get("msg_type") != "text":
        return invalid
    return ChatMessage(str(body.get("receive_id")), text, uuid)


def _text(body: dict[str, Any]) -> str:
    """Returns the text in `content`, which is JSON in a string."""
    try:
        return str(json.loads(body["content"])["text"])
    except (KeyError, TypeError, ValueError):
        return ""
