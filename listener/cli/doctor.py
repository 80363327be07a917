"""doctor: the whole chain, step by step, and what to do about the link that is broken."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from listener.base.errors import EX_FOUND, ConfigError
from listener.cli.options import Config, duration, emit, emit_json, note, settings
from listener.cli.subscribe import HelpdeskId, TokenFile, helpdesks

if TYPE_CHECKING:
    from listener.doctor import StepReport

WAIT = 120.0  # seconds
EPILOG = """\b
Exit code 退出码: 0 no link is broken, 1 one is.
Examples / 示例:
  helpdesk-listen doctor
  helpdesk-listen doctor --wait                  and then a real event, end to end
  helpdesk-listen doctor --json | jq '.steps[] | select(.state != "ok")'
"""


def doctor(
    context: typer.Context,
    config: Config = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Then wait for a real event: send a message yourself.")] = False,
    for_: Annotated[
        float | None, typer.Option("--for", parser=duration, metavar="2m", help="How long --wait waits.")
    ] = None,
    helpdesk_id: HelpdeskId = None,
    token_file: TokenFile = None,
) -> None:
    """Examine the whole chain, and say how to fix what is broken. 逐项诊断。

    Takes 30 s at most. Changes nothing, but opens a connection of its own for a moment.
    """
    import msgspec

    from listener.doctor import found_wrong, line

    steps = []
    for step in _steps(context, config, helpdesk_id, token_file, for_ or WAIT if wait else None):
        steps.append(step)
        if not json:
            emit(line(step))
    if json:
        emit_json(msgspec.json.encode({"ok": not found_wrong(steps), "steps": steps}).decode())
    if found_wrong(steps):
        raise typer.Exit(EX_FOUND)


def _steps(
    context: typer.Context,
    config: Path | None,
    ids: list[str] | None,
    files: list[Path] | None,
    wait: float | None,
) -> "Iterator[StepReport]":
    from listener.backfill.budget import counted
    from listener.base import logs
    from listener.doctor import Examination, StepReport, examine, local_checks, platform_checks
    from listener.doctor.live import wait_for_event

    logs.configure("error")
    try:
        wanted = settings(context, config)
        own = helpdesks(wanted.feishu, ids, files) if ids or files else []
    except ConfigError as e:
        yield StepReport("settings", "failed", str(e), e.hint)
        return
    with counted(wanted.journal.path) as meter:
        case = Examination(wanted, meter, own)
        yield from examine([*local_checks(case), *platform_checks(case)])
    if wait is not None:
        yield wait_for_event(wanted, wait, note)
