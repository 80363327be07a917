"""Converts a TOML value to what a struct's field wants, by its annotation, or raises a WrongValueError. Pure."""

import difflib
from collections.abc import Iterable
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from listener.base.redact import redact
from listener.settings.rules import Rule, WrongItemError

_NAMES = {
    bool: "true or false",
    str: "a text",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "a table",
}
_SHOWN = 60  # characters of a wrong value that a message repeats


class WrongValueError(ValueError):
    """A value is not what it should be: `right` completes "expected …", `found` is the value."""

    def __init__(self, right: str, found: object, guess: str = "") -> None:
        super().__init__(right)
        self.right, self.found, self.guess = right, found, guess


def unwrap(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """Splits `Annotated[T | None, *marks]` into (T, marks)."""
    hint, *marks = get_args(annotation) if get_origin(annotation) is Annotated else (annotation,)
    options = get_args(hint)
    if NoneType in options:
        hint = next(option for option in options if option is not NoneType)
    return hint, tuple(marks)


def convert(annotation: Any, raw: object) -> object:
    """Converts by the annotation's rule, its choices, or else msgspec's strict conversion."""
    hint, marks = unwrap(annotation)
    if rule := next((mark for mark in marks if callable(mark)), None):
        return _apply(rule, raw)
    if get_origin(hint) is Literal:
        return _choose(get_args(hint), raw)
    if get_origin(hint) is tuple:
        return _choose_several(get_args(get_args(hint)[0]), raw)
    try:
        return msgspec.convert(raw, annotation, strict=True)
    except msgspec.ValidationError:
        raise WrongValueError(_NAMES.get(hint, "another type"), raw) from None


def _apply(rule: Rule, raw: object) -> object:
    try:
        return rule(raw)
    except WrongItemError as error:
        raise WrongValueError(rule.right, raw, f" (its item {error.number} is wrong)") from None
    except ValueError:
        raise WrongValueError(rule.right, raw) from None


def _choose(choices: tuple[str, ...], raw: object) -> object:
    if raw not in choices:
        raise WrongValueError(one_of(choices), raw, guess(raw, choices))
    return raw


def _choose_several(choices: tuple[str, ...], raw: object) -> object:
    right = f"a list of at least {one_of(choices)}"
    if not isinstance(raw, list) or not raw:
        raise WrongValueError(right, raw)
    for item in raw:
        if item not in choices:
            raise WrongValueError(right, item, guess(item, choices))
    return tuple(dict.fromkeys(raw))


def one_of(choices: Iterable[str]) -> str:
    """Returns the choices in words: `one of "record", "raw"`."""
    return "one of " + ", ".join(f'"{choice}"' for choice in choices)


def guess(name: object, known: Iterable[str]) -> str:
    """Returns a question for a close misspelling: ` (did you mean "domain"?)`, else nothing."""
    close = difflib.get_close_matches(name, list(known), n=1) if isinstance(name, str) else []
    return f' (did you mean "{close[0]}"?)' if close else ""


def shown(raw: object) -> str:
    """Returns a found value for a message, on one line, short and without passwords."""
    if isinstance(raw, str):
        text = "".join(char if char.isprintable() else "\ufffd" for char in redact(raw))
        return f'"{text}"' if len(text) <= _SHOWN else f'"{text[:_SHOWN]}…"'
    if isinstance(raw, bool):
        return str(raw).lower()
    if isinstance(raw, int | float) and abs(raw) < 2**63:  # Python refuses to write out the hugest
        return str(raw)
    return "an empty list" if raw == [] else type_name(raw)


def type_name(raw: object) -> str:
    """Returns what TOML calls the value's type, for values that are not shown."""
    return _NAMES.get(type(raw), "a date or time")
