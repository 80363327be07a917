"""Finds the text of a ticket message as people read it, whichever of the platform's shapes it came in. Pure.

A message's words come as a text, as a rich text (`post`), as JSON inside a string (`{"content": "…"}`), or in an object
`message` beside or instead of the flat fields. Pictures and files become words in brackets, such as `[image]`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

__all__ = ["pictures_of", "plain_text"]

MAX_DEPTH: Final = 12
"""Deepest nesting of a message's content that is read; a rich text in JSON in a string has 6 levels."""
KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "image": "[image]",
        "img": "[image]",
        "file": "[file]",
        "audio": "[audio]",
        "media": "[video]",
        "video": "[video]",
        "sticker": "[sticker]",
        "interactive": "[card]",
        "share_chat": "[chat]",
        "share_user": "[contact]",
    }
)
LANGUAGES: Final = ("zh_cn", "en_us", "ja_jp", "zh_hk", "zh_tw")
_WRAPPERS: Final = frozenset({"content", "text", "title", "post", "msg_type", "image_key", "image_keys", *LANGUAGES})
_HOLDERS: Final = ("text", "content", "body")
_decode = msgspec.json.Decoder().decode


def plain_text(event: Any) -> str | None:
    """Returns the words of a ticket message's `event` object, None where it has none. It raises for no type."""
    if type(event) is not dict:
        return None
    text = event.get("text")
    if type(text) is str and text and text[0] not in "{[" and event.get("msg_type") in ("text", None):
        return text  # nearly all of them
    for holder in (event, event.get("message")):
        if type(holder) is dict and (words := _message(holder)):
            return words
    return text if type(text) is str else None


def pictures_of(event: Any) -> int:
    """Returns how many images a message has, by their keys or its type. It raises for no type."""
    if type(event) is not dict:
        return 0
    holders = [holder for holder in (event, event.get("message")) if type(holder) is dict]
    keys = max((_pictures(holder.get(name)) for holder in holders for name in _HOLDERS), default=0)
    kinds = [holder.get("msg_type") or holder.get("message_type") for holder in holders]
    return max(keys, int("image" in kinds))


def _message(holder: dict[str, Any]) -> str:
    """Returns the words of an object that holds a message's text or content, its pictures after them."""
    kind = holder.get("msg_type") or holder.get("message_type")
    pictures = max((_pictures(holder.get(name)) for name in _HOLDERS), default=0)
    if type(kind) is str and kind in KINDS:
        return " ".join([KINDS[kind]] * max(1, pictures))
    words = next((words for name in _HOLDERS if (words := _words(holder.get(name), MAX_DEPTH).strip())), "")
    missing = max(0, pictures - words.count(KINDS["image"]))
    return " ".join([*([words] if words else []), *[KINDS["image"]] * missing])


def _pictures(content: object) -> int:
    """Returns how many pictures a message's content names by their keys."""
    content = _unpacked(content)
    if type(content) is not dict:
        return 0
    keys = content.get("image_keys")
    return len(keys) if type(keys) is list and keys else int(bool(content.get("image_key")))


def _words(value: object, depth: int) -> str:
    """Returns the words of a text, of JSON in a text, or of a rich text's lines and elements."""
    if depth == 0:
        return ""
    value = _unpacked(value)
    if type(value) is str:
        return value
    if type(value) is list:
        of_lines = any(type(one) is list for one in value)
        return ("\n" if of_lines else "").join(_words(one, depth - 1) for one in value)
    return _object(value, depth - 1) if type(value) is dict else ""


def _object(value: dict[str, Any], depth: int) -> str:
    """Returns the words of a rich text's element, of a rich text, or of what is wrapped around one."""
    tag = value.get("tag")
    if type(tag) is str:
        return _element(tag, value, depth)
    for name in ("post", *LANGUAGES):
        if name in value and (words := _words(value[name], depth)):
            return words
    parts = (_words(value.get(name), depth) for name in ("title", "text", "content"))
    words = "\n".join(part for part in parts if part)
    kind = value.get("msg_type")
    return words or (KINDS.get(kind, "") if type(kind) is str else "")


def _element(tag: str, value: dict[str, Any], depth: int) -> str:
    """Returns the words of one rich-text element.

    Source: https://open.feishu.cn/document/server-docs/im-v1/message-content-description.
    """
    if tag in KINDS:
        return KINDS[tag]
    if tag == "hr":
        return "---"
    words = next((words for name in ("text", "user_name", "content") if (words := _words(value.get(name), depth))), "")
    match tag:
        case "at":
            return f"@{words.removeprefix('@') or 'someone'}"
        case "a" if type(value.get("href")) is str and value["href"] != words:
            return f"{words} ({value['href']})" if words else str(value["href"])
        case "emotion" if type(value.get("emoji_type")) is str:
            return f"[{value['emoji_type']}]"
    return words


def _unpacked(value: object) -> object:
    """Returns what the JSON in a text holds, where it is a message's content; else the value itself."""
    if type(value) is not str or not value.lstrip().startswith(("{", "[")):
        return value
    try:
        held = _decode(value)
    except (ValueError, RecursionError):
        return value  # words that begin with a bracket
    if type(held) is dict and held and (held.keys() <= _WRAPPERS or "tag" in held):
        return held
    rich = type(held) is list and held and all(type(one) in (list, dict) for one in held)
    return held if rich else value
