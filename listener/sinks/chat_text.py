"""Writes the text of a chat message: a default one that a team likes to read, and the same of many events. Pure.

What a guest wrote is data: it mentions nobody, makes no link look like another, and can't pass for a line of ours.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

from listener.event.payload import object_of

Language = Literal["zh", "en"]
Size = Callable[[str], int]

MAX_TEXT: Final = 1500  # characters of one event's text; who wants more has the journal
MAX_SHOWN: Final = 20  # events whose text stands in one message; the rest is counted
MAX_LINES: Final = 20  # of one event
_GONE: Final = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
    r"|[\U000e0000-\U000e007f]|[\ud800-\udfff]"
)
_BREAKS: Final = re.compile(r"\r\n?|[\x85\u2028\u2029\x0b\x0c]")
_WORDS: Final[Mapping[Language, Mapping[str, str]]] = {
    "zh": {
        "bot": "机器人",
        "guest": "用户",
        "agent": "客服",
        "created": "已创建",
        "processing": "处理中",
        "queued": "排队中",
        "pending": "待定",
        "waiting_for_user": "待用户响应",
        "closed_by_bot": "机器人已关闭",
        "closed_by_agent": "客服已关闭",
        "closed_by_user": "用户已关闭",
        "ticket": "工单",
        "more": "还有 {events} 条，来自 {tickets} 个工单",
    },
    "en": {
        "bot": "Bot",
        "guest": "Guest",
        "agent": "Agent",
        "waiting_for_user": "waiting for the user",
        "closed_by_bot": "closed by the bot",
        "closed_by_agent": "closed by an agent",
        "closed_by_user": "closed by the user",
        "ticket": "ticket",
        "more": "{events} more in {tickets} tickets",
    },
}


class Said(NamedTuple):
    """An event's text, and the ticket that it is about."""

    ticket: str
    text: str


def default_text(record: Mapping[str, Any], language: Language) -> str:
    """Returns the default text: who, which ticket, its status, and below it the message with `>` before each line."""
    event = object_of(record.get("event"))
    ticket = object_of(event.get("ticket")) or object_of(event.get("object")) or event
    guest = object_of(object_of(record.get("ticket_detail")).get("guest")).get("name")
    words = _WORDS[language]
    who = event.get("sender_type_name")
    name = f"{_word(words, who)} {_line(guest)}" if who == "guest" and guest else _word(words, who)
    kind = "" if who else _line(record.get("event_type"))
    head = [name or kind, f"{words['ticket']} {_line(ticket.get('ticket_id')) or '?'}"]
    head += filter(None, [_word(words, ticket.get("status_name"))])
    text = record.get("plain_text")
    return "\n".join([" · ".join(head), *_quoted(text if type(text) is str else "")])


def ticket_id(record: Mapping[str, Any]) -> str:
    """Returns the ticket that a record is about, "" where it names none."""
    event = object_of(record.get("event"))
    for place in (event.get("ticket"), event.get("object"), event):
        if found := _line(object_of(place).get("ticket_id")):
            return found
    return ""


def clean(text: str) -> str:
    """Returns text without what turns it around, hides in it, or moves a cursor; line breaks are plain ones."""
    return _GONE.sub("", _BREAKS.sub("\n", text)).strip()


def gathered(said: Sequence[Said], fits: int, size: Size, language: Language) -> str:
    """Returns one message: as many texts as fit, then how many more there are and in how many tickets."""
    room = fits - size(_more(language, said)) - size("\n\n")
    if len(said) == 1:
        return cut(said[0].text, fits, size)
    shown: list[str] = []
    for one in said[:MAX_SHOWN]:
        room -= size(one.text) + size("\n\n")
        if room < 0:
            break
        shown.append(one.text)
    shown = shown or [cut(said[0].text, fits - size(_more(language, said)) - size("\n\n"), size)]
    rest = said[len(shown) :]
    return "\n\n".join([*shown, *([_more(language, rest)] if rest else [])])


def cut(text: str, fits: int, size: Size) -> str:
    """Returns the text, or as much of it as fits, with an ellipsis."""
    if size(text) <= fits:
        return text
    low, high = 0, min(len(text), fits)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if size(text[:middle] + "…") <= fits else (low, middle - 1)
    return text[:low] + "…"


def json_size(text: str) -> int:
    """Returns the bytes of a text inside a JSON string."""
    return len(json.dumps(text, ensure_ascii=False).encode("utf-8", "replace")) - 2


def utf8_size(text: str) -> int:
    """Returns the bytes of a text."""
    return len(text.encode("utf-8", "replace"))


def _more(language: Language, rest: Sequence[Said]) -> str:
    tickets = len({one.ticket for one in rest})
    text = _WORDS[language]["more"].format(events=len(rest), tickets=tickets)
    return text.removesuffix("s") if language == "en" and tickets == 1 else text


def _quoted(text: str) -> list[str]:
    text = clean(text)
    lines = [line for line in cut(text, MAX_TEXT, len).split("\n") if line.strip()]
    return [f"> {line}" for line in lines[:MAX_LINES]] + (["> …"] if len(lines) > MAX_LINES else [])


def _word(words: Mapping[str, str], name: object) -> str:
    return words.get(name, name.replace("_", " ")) if type(name) is str else ""


def _line(value: object) -> str:
    return " ".join(clean(str(value)).split())[:100] if type(value) in (str, int) else ""
