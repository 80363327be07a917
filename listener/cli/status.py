"""status: how the running daemon is, or what its journal knows where none runs."""

import time
from typing import Annotated

import typer

from listener.cli.options import Config, as_owner_of, emit, emit_json, settings

EVERY = 2.0  # seconds between two looks of --watch
CLEAR = "\x1b[H\x1b[2J"
EPILOG = """\b
Exit code 退出码: 0 healthy, 1 something is wrong, 3 not running.
Examples / 示例:
  helpdesk-listen status
  helpdesk-listen status --watch
  helpdesk-listen status --json | jq .sinks
"""


def status(
    context: typer.Context,
    config: Config = None,
    json: Annotated[bool, typer.Option("--json", help="The whole snapshot, as JSON.")] = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Refresh every 2 s, until Ctrl-C.")] = False,
) -> None:
    """Show how the daemon is: connection, journal, each sink. 查看运行状态。

    Where no daemon runs, it shows what the journal knows.
    """
    from listener.base.errors import EX_FOUND, EX_NOT_RUNNING, EX_OK
    from listener.cli.status_view import as_text
    from listener.observe.health import encode
    from listener.observe.status_query import query_status

    wanted = settings(context, config)
    as_owner_of(wanted.journal.path)
    while True:
        snapshot = query_status(wanted)
        text = encode(snapshot).decode() if json else as_text(snapshot)
        emit_json(text) if json else emit(CLEAR + text if watch else text)
        if not watch:
            break
        time.sleep(EVERY)
    wrong = EX_FOUND if snapshot.problems else EX_OK
    raise typer.Exit(EX_NOT_RUNNING if snapshot.state == "stopped" else wrong)
