"""Checks that the service's user can reach the program: the usual trap is an interpreter in somebody's home."""

import os
import stat
import sys
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import listener
from listener.base.errors import ConfigError

HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108 by ProtectHome= and PrivateTmp= of the unit
REMEDY = (
    "make a venv for all, with the system's Python; in a clone of the project: "
    "/usr/bin/python3 -m venv /opt/helpdesk-listen && /opt/helpdesk-listen/bin/pip install ."
)
Stat = Callable[[str], os.stat_result]


def program() -> Path:
    """Returns the path of this environment's `helpdesk-listen`. Raises ConfigError where there is none."""
    path = Path(sys.prefix, "bin", "helpdesk-listen")
    if not os.access(path, os.X_OK):
        raise ConfigError(f"there is no {path}: this helpdesk-listen is not installed in a venv", hint=REMEDY)
    return path


def check_reach(path: Path) -> None:
    """Raises ConfigError that names what the service's user can't get at."""
    needed = (path, sys.executable, sysconfig.get_path("stdlib"), Path(listener.__file__).parent)
    for each in needed:
        if problem := obstacle(str(each)):
            raise ConfigError(f"the service's user can't use {each}: {problem}", hint=REMEDY)


def obstacle(path: str, look: Stat = os.stat, hidden: Sequence[str] = HIDDEN) -> str:
    """Says what keeps a user that owns nothing from `path`, inside the unit's sandbox, which hides the `hidden` ones.

    Returns "" if nothing does.
    """
    for each in _on_the_way(path):
        if above := next((one for one in hidden if Path(each).is_relative_to(one)), None):
            return f"the service sees nothing under {above}"
        mode = look(each).st_mode
        wanted = stat.S_IXOTH | (0 if stat.S_ISDIR(mode) else stat.S_IROTH)
        if mode & wanted != wanted:
            return f"{each} is closed to others (mode {stat.S_IMODE(mode):04o})"
    return ""


def _on_the_way(path: str) -> Iterator[str]:
    """Yields the path and all above it, as it is written and as its links lead."""
    for start in dict.fromkeys((os.path.abspath(path), os.path.realpath(path))):
        yield from (str(parent) for parent in reversed(Path(start).parents))
        yield start
