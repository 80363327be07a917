"""Removes and masks what a sink must not see of an event's line, by the settings `omit` and `mask`. Pure.

They need no expression and no other process, and they cost microseconds.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from listener.base.text import on_one_line

TEXTS: Final = frozenset({"text", "content", "plain_text", "title", "href"})
MASKS: Final = {
    "email": re.compile(r"[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}"),
    # Fifteen digits and more, an identity card's X at the end, or a card's number in groups of four.
    "long_id": re.compile(r"(?<!\d)(?:\d{14,}[\dXx]|\d{4}(?:[ -]\d{4}){3,4}(?:[ -]?\d{1,3})?)(?![\dA-Za-z])"),
    # Chinese mobile and landline numbers, and whatever begins with + and has 7 to 15 digits.
    "phone": re.compile(
        r"(?<![\d+])(?:\+?86[ -]?)?1[3-9]\d[ -]?\d{4}[ -]?\d{4}(?!\d)"
        r"|(?<![\d+])0\d{2,3}[ -]\d{7,8}(?!\d)"
        r"|\+(?=(?:[ ()-]{0,2}\d){7,15}(?!\d))[1-9](?:[ ()-]{0,2}\d){6,14}"
    ),
}
"""What `mask` hides, in the order in which it is looked for, so that a telephone number is not found in an id."""
_SHOWN: Final = {"email": "[email]", "phone": "[phone]", "long_id": "[id]"}
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def reshaping(omit: Sequence[str], mask: Sequence[str]) -> Callable[[bytes], bytes] | None:
    """Returns a function that takes the fields `omit` out of a line and masks its texts; None if neither is set."""
    paths = [path.split(".") for path in omit]
    masks = [(MASKS[name], _SHOWN[name]) for name in MASKS if name in mask]
    if not paths and not masks:
        return None

    def reshaped(line: bytes) -> bytes:
        record = _decode(line)
        for path in paths:
            _remove(record, path)
        return _one_line(_mask(record, masks) if masks else record)

    return reshaped


def _remove(value: Any, path: list[str]) -> None:
    """Removes the field at this path; a list on the way stands for each of its objects."""
    if type(value) is list:
        for one in value:
            _remove(one, path)
    elif type(value) is dict:
        if len(path) == 1:
            value.pop(path[0], None)
        elif path[0] in value:
            _remove(value[path[0]], path[1:])


def _mask(value: Any, masks: Sequence[tuple[re.Pattern[str], str]]) -> Any:
    """Returns the value with its texts masked in place; what is under other names stays."""
    if type(value) is list:
        return [_mask(one, masks) for one in value]
    if type(value) is not dict:
        return value
    for name, inner in value.items():
        if type(inner) is str:
            if name in TEXTS:
                value[name] = _hidden_in(inner, masks)
        elif type(inner) in (dict, list):
            value[name] = _texts(inner, masks) if name in TEXTS else _mask(inner, masks)
    return value


def _texts(value: Any, masks: Sequence[tuple[re.Pattern[str], str]]) -> Any:
    """Masks a message's content, where the strings of lists are texts, too."""
    if type(value) is list:
        return [_hidden_in(one, masks) if type(one) is str else _texts(one, masks) for one in value]
    return _mask(value, masks)


def _hidden_in(text: str, masks: Sequence[tuple[re.Pattern[str], str]]) -> str:
    """Returns a text with the matches hidden; JSON in a text stays JSON."""
    hidden = _hidden(text, masks)
    if hidden == text or not text.lstrip().startswith(("{", "[")):
        return hidden
    try:
        held = _decode(text)
    except (ValueError, RecursionError):
        return hidden  # words that begin with a bracket
    return _encode(_texts(held, masks)).decode() if type(held) in (dict, list) else hidden


def _hidden(text: str, masks: Sequence[tuple[re.Pattern[str], str]]) -> str:
    for pattern, shown in masks:
        text = pattern.sub(shown, text)
    return text


def _one_line(record: object) -> bytes:
    return on_one_line(_encode(record))
