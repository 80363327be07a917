"""Gives commands what several of them need: the settings, durations as options, data on stdout."""

import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from listener.base.errors import EX_IOERR, ListenError
from listener.base.terminal import is_terminal
from listener.base.text import escaped, on_one_line
from listener.cli.streams import discard

if TYPE_CHECKING:
    from listener.settings.config import Settings

CONFIG_HELP = "The config.toml. Default: $HELPDESK_LISTEN_CONFIG, ./config.toml, /etc/helpdesk-listen/config.toml."
Config = Annotated[Path | None, typer.Option("--config", "-c", help=CONFIG_HELP, show_default=False)]


def settings(context: typer.Context, config: Path | None) -> "Settings":
    """Reads the settings that this call means: the option beside the command, else the one before it."""
    from listener.settings.config import load

    return load(config or context.obj, os.environ)


def checked(context: typer.Context, config: Path | None) -> "Settings":
    """Reads the settings and compiles the sinks' expressions. Raises ConfigError."""
    from listener.delivery.jq import refuse_broken

    wanted = settings(context, config)
    refuse_broken(wanted.sinks)
    return wanted


def as_owner_of(*paths: Path) -> None:
    """Where root calls, goes on as the owner of the first of these files' directories that is not root's.

    That user writes there, and may have planted a link: what it must not reach, this command must not either.
    """
    if os.geteuid() != 0:
        return
    owners = (path.parent.stat() for path in paths if path.parent.is_dir())
    if owner := next((one for one in owners if one.st_uid != 0), None):
        os.setgroups([])
        os.setegid(owner.st_gid)
        os.seteuid(owner.st_uid)


def written_by(wanted: "Settings") -> list[Path]:
    """Returns the files that a command writes in the daemon's place: the journal, and those of the file sinks."""
    paths = (getattr(sink, "path", None) for sink in wanted.sinks)
    return [wanted.journal.path, *(path for path in paths if isinstance(path, Path))]


def duration(text: str) -> float:
    """Returns an option's seconds, from "30s", "2h", "7d"."""
    from listener.settings.values import parse_duration

    try:
        return parse_duration(text)
    except ValueError as e:
        raise typer.BadParameter(str(e)) from None


def moment(text: str) -> int:
    """Returns an option's time in Unix ms, from "2h" (ago), "2026-11-22 09:00" and the like."""
    from listener.base.clock import now_ms
    from listener.cli.times import parse_time

    try:
        return parse_time(text, now_ms())
    except ValueError as e:
        raise typer.BadParameter(str(e)) from None


def id_option(meaning: str) -> Any:
    """Returns an option for an id. What is no UTF-8 is none: the journal could not be asked for it."""
    return typer.Option(parser=_utf_8, metavar="ID", help=meaning)


def _utf_8(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise typer.BadParameter("not UTF-8") from None
    return text


class OutputFailed(ListenError):
    """Standard output can't be written."""

    exit_code = EX_IOERR

    def __init__(self, why: str) -> None:
        super().__init__(f"standard output can't be written: {why}", hint="nothing was printed completely; see `df`")


def emit(text: str) -> None:
    """Prints data. A reader that has gone, as `head` does, is no error; raises OutputFailed for a full disk."""
    if sys.stdout is None:  # Python's own sign that the descriptor was closed from the start
        raise OutputFailed("it is closed")
    try:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        discard(sys.stdout)
        raise typer.Exit from None
    except OSError as e:
        discard(sys.stdout)
        raise OutputFailed(e.strerror or str(e)) from e


def emit_json(text: str) -> None:
    """Prints JSON, in UTF-8 whatever the locale; on a terminal, as it shows text.

    There, what could move its cursor or hide in it is escaped, and the value is the same.
    """
    on_terminal = is_terminal(sys.stdout)
    if isinstance(sys.stdout, TextIOWrapper) and not on_terminal:
        sys.stdout.reconfigure(encoding="utf-8")
    emit(escaped(text) if on_terminal else on_one_line(text.encode()).decode())


def note(text: str) -> None:
    """Prints a line for the person at the terminal, on stderr."""
    with suppress(OSError):  # a stderr that can't be written is no reason to stop
        print(text, file=sys.stderr, flush=True)  # noqa: T201 stderr
