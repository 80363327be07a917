"""Decides where a relative path of the settings starts: the directories of systemd, of XDG, or beside the file."""

import os
from collections.abc import Mapping
from enum import Enum
from pathlib import Path


class NoDirectory(ValueError):
    """The environment names no directory that the path could start from; `right` completes "expected …"."""

    def __init__(self, right: str) -> None:
        super().__init__(right)
        self.right = right


class BaseDirectory(Enum):
    """A mark for `Annotated`: the directory from which a relative path starts."""

    STATE = "state"  # $STATE_DIRECTORY, else XDG's: what the daemon must not lose
    LOGS = "logs"  # $LOGS_DIRECTORY, else the working directory: what sinks write
    CONFIG = "config"  # beside the configuration file: secrets, certificates


def resolve(text: str, place: BaseDirectory, env: Mapping[str, str], config_file: Path | None) -> Path:
    """Returns an absolute path, `~` expanded. Raises ValueError, NoDirectory where the environment names none."""
    if not text or not text.isprintable():
        raise ValueError("a path is not empty and holds no control characters")
    expanded = _expand(text, env)
    if os.path.isabs(expanded):
        return Path(os.path.normpath(expanded))
    return Path(os.path.abspath(os.path.join(_directory(place, env, config_file), expanded)))


def _directory(place: BaseDirectory, env: Mapping[str, str], config_file: Path | None) -> str:
    if place is BaseDirectory.CONFIG:
        return str(config_file.parent) if config_file else os.curdir
    if place is BaseDirectory.LOGS:
        return _first(env.get("LOGS_DIRECTORY")) or os.curdir
    return _first(env.get("STATE_DIRECTORY")) or os.path.join(_xdg_state(env), "helpdesk-listen")


def _first(directories: str | None) -> str:
    # systemd lists several with colons (systemd.exec(5), RuntimeDirectory=).
    return (directories or "").split(":")[0]


def _xdg_state(env: Mapping[str, str]) -> str:
    # XDG Base Directory 0.8: a relative one is invalid and ignored.
    given = env.get("XDG_STATE_HOME", "")
    if os.path.isabs(given):
        return given
    try:
        return _expand("~/.local/state", env)
    except NoDirectory:
        raise NoDirectory(
            "an absolute path, or a directory for a relative one: set $STATE_DIRECTORY, $XDG_STATE_HOME or $HOME "
            "(looked for in this order; none is set to an absolute path, and this user has no home)"
        ) from None


def _expand(text: str, env: Mapping[str, str]) -> str:
    home, rest = text[:1] == "~", text[1:]
    if home and env.get("HOME") and rest[:1] in ("", "/"):
        return env["HOME"] + rest
    expanded = os.path.expanduser(text)
    if expanded[:1] == "~":
        raise NoDirectory("a path without ~, or $HOME set: there is no such home directory")
    return expanded
