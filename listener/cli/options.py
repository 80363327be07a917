"""What several commands need: the settings, durations as options, data on stdout."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from listener.settings.config import Settings

CONFIG_HELP = "The config.toml. Default: $HELPDESK_LISTEN_CONFIG, ./config.toml, /etc/helpdesk-listen/config.toml."
Config = Annotated[Path | None, typer.Option("--config", "-c", help=CONFIG_HELP, show_default=False)]


def settings(context: typer.Context, config: Path | None) -> "Settings":
    """The settings that this call means: the option beside the command, else the one before it."""
    from listener.settings.config import load

    return load(config or context.obj, os.environ)


def checked(context: typer.Context, config: Path | None) -> "Settings":
    """The same, the sinks' expressions compiled. Raises ConfigError."""
    from listener.delivery.jq import refuse_broken

    wanted = settings(context, config)
    refuse_broken(wanted.sinks)
    return wanted


def as_owner_of(path: Path) -> None:
    """Where root calls, this process goes on as the owner of the path's directory, up to its end.

    That user writes there, and may have planted a link: what it must not reach, this command must not either.
    """
    if os.geteuid() != 0 or not path.parent.is_dir():
        return
    owner = path.parent.stat()
    if owner.st_uid != 0:
        os.setgroups([])
        os.setegid(owner.st_gid)
        os.seteuid(owner.st_uid)


def duration(text: str) -> float:
    """An option's seconds, from "30s", "2h", "7d"."""
    from listener.settings.values import parse_duration

    try:
        return parse_duration(text)
    except ValueError as e:
        raise typer.BadParameter(str(e)) from None


def moment(text: str) -> int:
    """An option's time in Unix ms, from "2h" (ago), "2026-11-22 09:00" and the like."""
    from listener.base.clock import now_ms
    from listener.cli.times import parse_time

    try:
        return parse_time(text, now_ms())
    except ValueError as e:
        raise typer.BadParameter(str(e)) from None


def emit(text: str) -> None:
    """Data for stdout; a reader that has gone, as `head` does, is no error."""
    try:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        discard_output()
        raise typer.Exit from None


def discard_output() -> None:
    """What Python still holds for stdout goes nowhere: at the exit it would be tried again, and complained of."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def note(text: str) -> None:
    """A word to the person at the terminal, on stderr."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 stderr
