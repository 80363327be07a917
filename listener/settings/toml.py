"""Parses the configuration file as TOML tables, and tells what is wrong with it as file:line:column."""

import re
import tomllib
from pathlib import Path
from typing import Any

from listener.base.errors import ConfigError

LIMIT = 2**20  # bytes
_QUOTED = re.compile(r"\('.*'\)", re.DOTALL)  # a table's name as Python shows it; it may be a secret in a name's place
_AT = re.compile(r"(?P<what>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)", re.DOTALL)


def read_toml(path: Path) -> dict[str, Any]:
    """Reads the file's tables. Raises ConfigError."""
    try:
        with path.open("rb") as file:
            content = file.read(LIMIT + 1)
    except OSError as error:
        hint = "check the path and its permissions; `helpdesk-listen init` writes a new file"
        raise ConfigError(f"{path}: can't be read: {error.strerror}", hint=hint) from error
    if len(content) > LIMIT:
        raise ConfigError(f"{path}: larger than 1 MiB", hint="a configuration is a few kilobytes: is the path right?")
    return parse_toml(content, str(path))


def parse_toml(content: bytes, origin: str) -> dict[str, Any]:
    """Parses a file's bytes into tables; `origin` names the file in errors. Raises ConfigError."""
    try:
        text = content.decode("utf-8-sig")  # Windows editors write a BOM
        return tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problem = f"{origin}:{line}: not UTF-8"
    except RecursionError:
        problem = f"{origin}: nested too deeply"
    except ValueError as error:  # also what is no TOMLDecodeError, such as a number of 5,000 digits
        problem = f"{origin}{_syntax_error(str(error), text)}"
    # Raised outside the handlers: a decoding error as context would carry the file's text, secret and all.
    hint = 'write settings as key = "text in quotes", and [feishu] or [[sinks]] on lines of their own'
    raise ConfigError(problem, hint=hint)


def _syntax_error(message: str, text: str) -> str:
    match = _AT.fullmatch(message)
    if not match:
        return f": {message}"
    line = match["line"] or text.count("\n") + 1
    column = match["column"] or len(text) - text.rfind("\n")
    return f":{line}:{column}: {_QUOTED.sub('…', match['what'])}"
