"""Makes text that strangers wrote fit for a terminal, for a log and for a line of its own. Pure."""

import re

# Controls (C0, C1), direction and other format characters, zero-width ones, line and paragraph ends, tags.
_HIDDEN = r"\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
_UNPRINTABLE = re.compile(f"[\\x00-\\x1f{_HIDDEN}]+")
_UNPRINTABLE_IN_LINES = re.compile(f"[\\x00-\\x08\\x0b-\\x1f{_HIDDEN}]+")
_LINE_ENDS = {b"\xc2\x85": b"\\u0085", b"\xe2\x80\xa8": b"\\u2028", b"\xe2\x80\xa9": b"\\u2029"}


def printable(text: str) -> str:
    """Returns one line without what would move a terminal's cursor, turn its text around, or hide in it."""
    return _UNPRINTABLE.sub(" ", text)


def peers_words(text: str) -> str:
    """Returns another program's short text on one line, with nothing but what Python calls printable."""
    return "".join(character if character.isprintable() else " " for character in text)


def printable_lines(text: str) -> str:
    """Returns what `printable` does, with newlines and tabs kept, for texts of ours that may quote strangers."""
    return _UNPRINTABLE_IN_LINES.sub(" ", text)


def encodable(text: str) -> str:
    """Returns the text with `?` for each surrogate, which neither UTF-8 nor the journal can hold."""
    return text.encode("utf-8", "replace").decode()


def escaped(json: str) -> str:
    r"""Returns JSON of the same value with what is not printable as `\\uXXXX`, for a terminal; newlines stay."""
    return _UNPRINTABLE_IN_LINES.sub(lambda found: "".join(map(_code_units, found.group())), json)


def _code_units(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def on_one_line(json: bytes) -> bytes:
    """Escapes in JSON what some readers take for the end of a line: U+0085, U+2028 and U+2029."""
    if b"\xe2\x80" in json or b"\xc2\x85" in json:
        for raw, escaped in _LINE_ENDS.items():
            json = json.replace(raw, escaped)
    return json
