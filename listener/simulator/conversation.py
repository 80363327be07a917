"""Plays a believable helpdesk conversation in Chinese and English over several tickets, without end.

It opens with the document's example and then brings the shapes that are seen in the wild: `comments` and
`dissatisfaction_reason` as objects and lists, numbers as strings and as numbers, no `sender_id` with a bot's message, a
ticket of two fields, tokens that are empty.
"""

import time
import uuid
from collections.abc import Callable, Iterator
from copy import deepcopy
from random import Random
from typing import Any

from listener.simulator.scenarios import AGENT, BOT, CLOSED_BY_BOT, SCENARIOS, Scenario, Turn

Event = dict[str, Any]

APP_ID, TENANT_KEY = "cli_a5ca1ab1e0ddba11", "2ca1d211f64f6438"
TOKEN = "rvaYgkND1GOiu5MM0E1rncYC6PLtF7JV"  # noqa: S105 -- the document's

# The document's example, its placeholders filled.
EXAMPLE: Event = {
    "schema": "2.0",
    "header": {
        "event_id": "5e3702a84e847582be8db7fb73283c02",
        "event_type": "helpdesk.ticket_message.created_v1",
        "create_time": "1608725989000",
        "token": TOKEN,
        "app_id": "cli_9f5343c580712544",
        "tenant_key": TENANT_KEY,
    },
    "event": {
        "ticket_message_id": "6949088240624222236",
        "message_id": "om_8baa3656c7b41900d29bf9104bf5310b",
        "msg_type": "text",
        "position": "10",
        "sender_id": {
            "union_id": "on_8ed6aa67826108097d9ee143816345",
            "user_id": "e33ggbyz",
            "open_id": "ou_84aad35d084aa403a838cf73ee18467",
        },
        "sender_type": 1,
        "text": "请问vpn怎么下载",
        "ticket": {
            "ticket_id": "6626871355780366331",
            "comments": {
                "content": "备注内容",
                "created_at": 1608725989000,
                "id": 6949088240624222236,
                "user_avatar_url": "备注人头像",
                "user_name": "备注人姓名",
                "user_id": 6949088240624222236,
            },
            "ticket_type": 1,
            "status": 50,
            "dissatisfaction_reason": {
                "zh_cn": "答案看不懂",
                "en_us": "I don't understand",
                "ja_jp": "回答が複雑すぎる",
            },
            "customized_fields": [
                {
                    "id": "123",
                    "value": "value",
                    "key_name": "key",
                    "display_name": "display name",
                    "position": 1,
                    "required": True,
                    "editable": True,
                }
            ],
            "agent_service_duration": 42624.95,
            "agent_first_response_duration": 123869,
            "bot_service_duration": 1,
            "agent_resolution_time": 66,
            "actual_processing_time": 68,
            "agent_entry_time": 1636444596000,
            "agent_first_response_time": 1636444696000,
            "agent_last_response_time": 1636444796000,
            "agent_owner": {
                "id": "ou_37019b7c830210acd88fdce886e25c71",
                "avatar_url": "https://xxxx",
                "name": "abc",
                "email": "xxxx@abc.com",
                "department": "用户部门名称(有权限才展示)",
                "city": "城市",
                "country": "国家",
            },
        },
        "event_id": "118a6492-122d-04ad-4370-010a3bb384d3",
        "chat_id": "6949088236610273307",
        "content": {
            "content": "请问vpn怎么下载",
            "msg_type": "text",
            "image_keys": ["xxx", "yyy"],
            "image_key": "xxx",
        },
    },
}


def now_ms() -> int:
    """Returns the milliseconds since the epoch."""
    return int(time.time() * 1000)


def conversation(seed: int | None = None, clock: Callable[[], int] = now_ms) -> Iterator[Event]:
    """Yields payloads without end, each as of the moment when it is asked for; seed and clock decide them all.

    The first is the document's example under a fresh header.
    """
    random = Random(seed)
    example = deepcopy(EXAMPLE)
    example["header"] |= _header(random, clock())
    yield example
    while True:
        tickets = [_OpenTicket(scenario, random, clock) for scenario in SCENARIOS]
        while tickets:
            ticket = random.choice(tickets[:3])
            yield ticket.say()
            tickets = [one for one in tickets if one.turns]


class _OpenTicket:
    """One ticket on its way through its scenario."""

    def __init__(self, scenario: Scenario, random: Random, clock: Callable[[], int]) -> None:
        self.scenario = scenario
        self.turns = list(scenario.turns)
        self._random = random
        self._clock = clock
        self._position = random.randrange(10, 300)
        self._born = clock()
        self._id = str(_snowflake(random, self._born))
        self._chat = _snowflake(random, self._born)
        self._people = {name: _person(random) for name in (scenario.guest, scenario.agent)}
        self._fields: Event = {"ticket_type": 1, "customized_fields": [_category(scenario.department)]}

    def say(self) -> Event:
        """Returns the next turn as an event."""
        turn, now = self.turns.pop(0), self._clock()
        self._position += 1
        self._note(turn, now)
        return {
            "schema": "2.0",
            "header": _header(self._random, now) | {"token": "" if self.scenario.bare else TOKEN},
            "event": self._event(turn, now),
        }

    def _event(self, turn: Turn, now: int) -> Event:
        position, chat = self._position, self._chat
        return {
            "ticket_message_id": str(_snowflake(self._random, now)),
            "message_id": f"om_{_hex(self._random)}",
            "msg_type": turn.msg_type,
            "position": position if self.scenario.numeric else str(position),
            **self._sender(turn),
            "sender_type": turn.who,
            "text": turn.text,
            "ticket": {"ticket_id": self._id, "status": turn.status} | ({} if self.scenario.bare else self._fields),
            "event_id": str(uuid.UUID(int=self._random.getrandbits(128))),
            "chat_id": chat if self.scenario.numeric else f"oc_{chat:032x}",
            "content": _content(turn, self._random),
        }

    def _sender(self, turn: Turn) -> Event:
        if turn.who == BOT:
            return {}
        return {"sender_id": self._people[self.scenario.agent if turn.who == AGENT else self.scenario.guest]}

    def _note(self, turn: Turn, now: int) -> None:
        """Updates the ticket's fields to this turn."""
        if turn.who == AGENT:
            self._agent_speaks(now)
        if turn.note:
            self._fields["comments"] = self._shaped(self._comment(turn.note, now))
        if turn.complaint:
            reason = dict(zip(("zh_cn", "en_us", "ja_jp"), turn.complaint, strict=True))
            self._fields["dissatisfaction_reason"] = self._shaped(reason)
        if turn.status >= CLOSED_BY_BOT and "agent_entry_time" in self._fields:
            spent = (now - self._fields["agent_entry_time"]) // 1000
            self._fields |= {"agent_resolution_time": spent, "actual_processing_time": spent}

    def _agent_speaks(self, now: int) -> None:
        if "agent_entry_time" not in self._fields:
            self._fields |= {
                "ticket_type": 2,
                "bot_service_duration": (now - self._born) // 1000,
                "agent_entry_time": now,
                "agent_first_response_time": now,
                "agent_first_response_duration": 0,
                "agent_owner": self._agent(),
            }
        entered = self._fields["agent_entry_time"]
        minutes = round((now - entered) / 60_000, 2)
        self._fields |= {"agent_last_response_time": now, "agent_service_duration": minutes}

    def _agent(self) -> Event:
        scenario = self.scenario
        return {
            "id": self._people[scenario.agent]["open_id"],
            "avatar_url": "https://example.com/avatar.webp",
            "name": scenario.agent,
            "email": f"agent{len(scenario.agent)}@example.com",
            "department": scenario.department,
            "city": scenario.city,
            "country": scenario.country,
        }

    def _comment(self, text: str, now: int) -> Event:
        return {
            "content": text,
            "created_at": now,
            "id": _snowflake(self._random, now),
            "user_avatar_url": "https://example.com/avatar.webp",
            "user_name": self.scenario.agent,
            "user_id": _snowflake(self._random, self._born),
        }

    def _shaped(self, value: Event) -> Event | list[Event]:
        return [value] if self.scenario.as_list else value


def _header(random: Random, now: int) -> Event:
    return {
        "event_id": _hex(random),
        "event_type": "helpdesk.ticket_message.created_v1",
        "create_time": str(now),
        "token": TOKEN,
        "app_id": APP_ID,
        "tenant_key": TENANT_KEY,
    }


def _content(turn: Turn, random: Random) -> Event:
    if turn.msg_type != "image":
        return {"content": turn.text, "msg_type": turn.msg_type}
    key = f"img_v3_{_hex(random)}"
    return {"content": "", "msg_type": "image", "image_keys": [key], "image_key": key}


def _category(department: str) -> Event:
    return {
        "id": "6834320707288072194",
        "value": department,
        "key_name": "department",
        "display_name": "部门 / Department",
        "position": 1,
        "required": False,
        "editable": True,
    }


def _person(random: Random) -> Event:
    return {"union_id": f"on_{_hex(random)}", "user_id": _hex(random)[:8], "open_id": f"ou_{_hex(random)}"}


def _snowflake(random: Random, now: int) -> int:
    """Returns an id whose upper half is the time in seconds, like the platform's ticket_message_id."""
    return (now // 1000) << 32 | random.getrandbits(32)


def _hex(random: Random) -> str:
    return f"{random.getrandbits(128):032x}"
