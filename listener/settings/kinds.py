"""Tells what a setting takes, read off its annotation once: in English, in Chinese, and as JSON Schema. Pure."""

from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec

from listener.settings.convert import unwrap
from listener.settings.paths import BaseDirectory
from listener.settings.rules import Count, Duration, Size, Text, Texts
from listener.settings.secrets import Secret, SecretSource
from listener.settings.values import DURATION_PATTERN, SIZE_PATTERN, format_duration, format_size

Schema = dict[str, Any]


class Kind(msgspec.Struct, frozen=True):
    """The values that a setting takes: `en` and `zh` for people, `schema` for editors."""

    en: str
    zh: str
    schema: Schema


TEXT = Kind("text", "文本", {"type": "string"})
SECRET = Kind("text (secret)", "文本（机密）", {"type": "string"})
TABLE = Kind("table", "表", {"type": "object"})
_PLAIN: dict[object, Kind] = {
    str: TEXT,
    Secret: TEXT,
    SecretSource: SECRET,
    bool: Kind("true or false", "true 或 false", {"type": "boolean"}),
    int: Kind("whole number", "整数", {"type": "integer"}),
    float: Kind("number", "数字", {"type": "number"}),
    dict: TABLE,
}
_STARTS = {
    BaseDirectory.STATE: ("in $STATE_DIRECTORY", " $STATE_DIRECTORY "),
    BaseDirectory.LOGS: ("in $LOGS_DIRECTORY", " $LOGS_DIRECTORY "),
    BaseDirectory.CONFIG: ("beside config.toml", " config.toml 所在目录"),
}


def kind_of(annotation: Any) -> Kind:
    """Tells the kind by the annotation's rule where it is one of ours, else by its type, perhaps a plug-in's own."""
    hint, marks = unwrap(annotation)
    for mark in marks:
        if isinstance(mark, BaseDirectory):
            return path_from(mark)
        if isinstance(mark, Duration | Size | Count | Text | Texts):
            return _of_rule(mark)
    if get_origin(hint) is Literal:
        return choice_of(get_args(hint))
    if get_origin(hint) is tuple:
        return _several(get_args(hint)[0])
    return TABLE if is_table(hint) else _PLAIN.get(hint, Kind("value", "值", {}))


def is_table(hint: Any) -> bool:
    """Returns whether it is a struct whose fields are settings of their own."""
    return isinstance(hint, type) and issubclass(hint, msgspec.Struct) and hint is not SecretSource


def path_from(place: BaseDirectory) -> Kind:
    """Returns the kind of a path, which says where a relative one starts."""
    en, zh = _STARTS[place]
    return Kind(f"path; a relative one starts {en}", f"路径，相对路径以{zh}为准", {"type": "string", "minLength": 1})


def choice_of(choices: tuple[str, ...]) -> Kind:
    """Returns the kind of a choice among these texts."""
    quoted = [f'"{choice}"' for choice in choices]
    return Kind(", ".join(quoted), "、".join(quoted), {"enum": list(choices)})


def _of_rule(rule: Duration | Size | Count | Text | Texts) -> Kind:
    match rule:
        case Duration():
            return _duration(rule)
        case Size(at_least, at_most):
            schema = {"anyOf": [{"type": "string", "pattern": f"^(?:{SIZE_PATTERN})$"}, {"type": "integer"}]}
            return Kind(f'size, "{at_least}" to "{at_most}"', f'大小，"{at_least}" 至 "{at_most}"', schema)
        case Count(at_least, at_most):
            limits = {"type": "integer", "minimum": at_least, "maximum": at_most}
            return Kind(f"whole number, {at_least} to {at_most}", f"整数，{at_least} 至 {at_most}", limits)
        case Text(pattern):
            return Kind(TEXT.en, TEXT.zh, _text(pattern))
    return Kind("list of texts", "文本列表", {"type": "array", "minItems": 1, "items": _text(rule.pattern)})


def _duration(rule: Duration) -> Kind:
    schema: Schema = {"type": "string", "minLength": 1, "pattern": f"^(?:{DURATION_PATTERN})$"}
    en, zh = f'duration, "{rule.at_least}" to "{rule.at_most}"', f'时长，"{rule.at_least}" 至 "{rule.at_most}"'
    if not rule.never:
        return Kind(en, zh, schema)
    return Kind(f'{en}, or "never"', f'{zh}，或 "never"', {"anyOf": [schema, {"const": "never"}]})


def _text(pattern: str) -> Schema:
    """Returns the schema of a text; a pattern with flags in it is Python's alone and left out."""
    return {"type": "string"} if "(?s" in pattern else {"type": "string", "pattern": f"^(?:{pattern})$"}


def _several(item: Any) -> Kind:
    """Returns the kind of a list, or of pairs: a table with names that the user chooses."""
    if get_origin(item) is tuple:
        return Kind("table of texts", "文本的表", {"type": "object", "additionalProperties": {"type": "string"}})
    one = kind_of(item)
    schema = {"type": "array", "minItems": 1, "items": one.schema}
    if "enum" in one.schema:
        return Kind(f"list of {one.en}", f"列表，可含 {one.zh}", schema)
    return Kind("list of texts" if one is TEXT else "list", f"{one.zh}列表", schema)


def written(value: Any, annotation: Any) -> str:
    """Returns a default as config.toml would have it; "" for none."""
    rules = [mark for mark in unwrap(annotation)[1] if isinstance(mark, Duration | Size)]
    match value, rules:
        case None, [Duration(never=True)]:
            return '"never"'
        case (None | (), _):
            return ""
        case _, [Duration()]:
            return f'"{format_duration(value)}"'
        case _, [Size()]:
            return f'"{format_size(value)}"'
    return _toml(value)


def _toml(value: object) -> str:
    plain = str(value) if isinstance(value, Path) else list(value) if isinstance(value, tuple) else value
    return msgspec.json.encode(plain).decode().replace('","', '", "')
