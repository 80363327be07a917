"""A daemon that enriches, and messages whose tickets and images the stand-in knows."""

import json
import time
from pathlib import Path
from typing import Any

from tests.lines import whole_lines
from tests.samples import example

CONFIG = """
[feishu]
helpdesk_id = "6626871355780366331"
helpdesk_token = "ht-demo-token"
[enrich]
{enrich}
[[sinks]]
name = "archive"
type = "file"
path = "tickets.jsonl"
[[sinks]]
name = "plain"
type = "file"
path = "plain.jsonl"
omit = ["ticket_detail", "attachments"]
"""
TICKET = 'ticket = true\nticket_cache = "10s"'
IMAGES = 'attachments = "images"'


def config(*enrich: str) -> str:
    return CONFIG.format(enrich="\n".join(enrich))


def message(number: int, ticket: str = "7000001", **changes: Any) -> dict[str, Any]:
    """The event of a message; its times are now."""
    envelope = example(
        f"e{number}", ticket_message_id=str(1000 + number), ticket={"ticket_id": ticket, "status": 1}, **changes
    )
    envelope["header"]["create_time"] = str(int(time.time() * 1000))
    return envelope


def picture(number: int, ticket: str = "7000001", images: int = 1) -> dict[str, Any]:
    """The event of a message that is images."""
    keys = [f"img_{number}_{index}" for index in range(images)]
    content = {"content": "", "msg_type": "image", "image_key": keys[0], "image_keys": keys}
    return message(number, ticket, msg_type="image", text="", content=content)


def lines(home: Path, name: str = "tickets") -> list[Any]:
    file = home / "logs" / f"{name}.jsonl"
    return [json.loads(line) for line in whole_lines(file)]
