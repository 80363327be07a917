"""A helpdesk in which something was said while nobody listened, and what a file sink got of it."""

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

from listener.simulator import PlatformThread
from tests.lines import whole_lines
from tests.samples import encode, example

HELPDESK = "6626871355780366331"
CONFIG = f"""
[feishu]
helpdesk_id = "{HELPDESK}"
helpdesk_token = "ht-demo-token"
[[sinks]]
name = "archive"
type = "file"
path = "tickets.jsonl"
"""


def message_id(ticket: int, number: int) -> str:
    """An id as the platform's: the upper half is a time."""
    return str((1_700_000_000 << 32) + ticket * 10_000 + number)


def talk(stand_in: PlatformThread, tickets: int, messages: int, *, hours: float = 24) -> list[str]:
    """Puts so many messages into so many tickets, spread over the last hours; returns their ids."""
    ids = []
    now, desk = int(time.time() * 1000), stand_in.platform.api.desk
    for number in range(messages):
        ticket, at = number % tickets, now - round(hours * 3_600_000 * (messages - number) / (messages + 1))
        ids.append(message_id(ticket, number))
        desk.say(f"70{ticket:05}", ids[-1], f"message {number}", at)
    return ids


def pushed(event_id: str, one: str, ticket: str) -> dict[str, Any]:
    """The event of a message that is fetched, too."""
    header = {"create_time": str(int(time.time() * 1000))}
    envelope = example(event_id, ticket_message_id=one, ticket={"ticket_id": ticket, "status": 2})
    envelope["header"] |= header
    return envelope


def records(home: Path) -> list[Any]:
    """What the file sink holds."""
    file = home / "logs" / "tickets.jsonl"
    return [json.loads(line) for line in whole_lines(file)]


def message_ids(home: Path) -> Counter[str]:
    """How often each message is in the file."""
    return Counter(record["event"]["ticket_message_id"] for record in records(home))


def in_order(home: Path) -> bool:
    """Whether each ticket's fetched messages stand in the order of their times."""
    by_ticket: dict[str, list[str]] = {}
    for record in records(home):
        if record.get("source") == "backfill":
            by_ticket.setdefault(record["event"]["ticket"]["ticket_id"], []).append(record["created_at"])
    return all(times == sorted(times) for times in by_ticket.values())


def size(envelope: dict[str, Any]) -> int:
    """The bytes of a payload."""
    return len(encode(envelope))
