"""The command line: lists the commands, and prints errors. Each command is a file beside this one."""

import errno
import sys
from pathlib import Path
from typing import Annotated

import typer

from listener import __version__
from listener.base.errors import ListenError
from listener.cli import (
    backfill,
    check,
    dead_letters,
    demo,
    doctor,
    forget,
    init,
    replay,
    schema,
    service,
    simulator,
    start,
    status,
    subscribe,
    tail,
)
from listener.cli.options import CONFIG_HELP, OutputFailed, emit, note
from listener.cli.streams import discard, discard_unsaid, escape_what_the_locale_lacks, open_what_is_closed

EPILOG = """\b
Examples / 示例:
  helpdesk-listen demo                       see it work, with no account
  helpdesk-listen init                       write a config.toml to fill in
  helpdesk-listen check --online             is it right, and does the platform accept it?
  helpdesk-listen start | jq .event.text     every ticket message, as JSON lines
  helpdesk-listen tail -f                    what came in, for people
"""

app = typer.Typer(
    name="helpdesk-listen",
    help="Forwards Feishu/Lark helpdesk ticket messages to your sinks, durably and once. 飞书服务台工单消息监听。",
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help: works in every terminal, and rich is not loaded
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        emit(f"helpdesk-listen {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option("--config", "-c", help=CONFIG_HELP)] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    from listener.base import logs

    logs.configure("warning")  # a command that says nothing else must not log to stdout, which is structlog's default
    context.obj = config


for _command in (
    start.start,
    demo.demo,
    check.check,
    init.init,
    status.status,
    tail.tail,
    replay.replay,
    forget.forget,
    backfill.backfill,
    subscribe.subscribe,
    subscribe.unsubscribe,
    doctor.doctor,
    schema.schema,
):
    app.command(epilog=_command.__globals__.get("EPILOG"))(_command)
app.add_typer(dead_letters.app)
app.add_typer(service.app)
app.add_typer(simulator.app)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def main() -> None:
    """Runs the command line and exits; the exit codes are the errors' own (errors.py)."""
    open_what_is_closed()
    escape_what_the_locale_lacks()
    try:
        _run()
    except ListenError as e:
        _tell(str(e), e.hint)
        sys.exit(e.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        discard_unsaid()


def _run() -> None:
    """Runs the command; typer's own prints, such as --help, can meet a full disk, too."""
    try:
        app()
    except OSError as e:
        if e.errno not in _FULL or e.filename is not None:
            raise
        discard(sys.stdout)
        raise OutputFailed(e.strerror or str(e)) from e


def _tell(message: str, hint: str) -> None:
    from listener.base.systemd import stderr_is_journal

    prefix = "<3>" if stderr_is_journal() else ""  # sd-daemon(3): an error for journalctl -p err
    lines = [f"helpdesk-listen: {message}", *([f"  → {hint}"] if hint else [])]
    for line in "\n".join(lines).splitlines():
        note(prefix + line)
