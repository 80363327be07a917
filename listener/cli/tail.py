"""tail: the journal for people."""

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from listener.cli.options import Config, emit, emit_json, moment, note, settings

if TYPE_CHECKING:
    from listener.delivery.jq import Program
    from listener.event import Received

EPILOG = """\b
Examples / 示例:
  helpdesk-listen tail                       the last ten messages
  helpdesk-listen tail -f                    and those that come, until Ctrl-C
  helpdesk-listen tail -f --filter '.event.sender_type_name == "guest"'
  helpdesk-listen tail --since 2h --format record | jq .event.text
"""
LOOK = 0.2  # seconds between looks with -f
BATCH = 256


def tail(
    context: typer.Context,
    config: Config = None,
    *,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with what comes in.")] = False,
    count: Annotated[
        int | None, typer.Option("-n", "--lines", min=0, help="The newest N; 10, or with --since all.")
    ] = None,
    since: Annotated[
        int | None, typer.Option(parser=moment, metavar="TIME", help='Only from then on: "2h", "2026-11-22 09:00".')
    ] = None,
    style: Annotated[
        Literal["people", "record", "raw", "cloudevents"], typer.Option("--format", help="people: columns to look at.")
    ] = "people",
    expression: Annotated[
        str | None, typer.Option("--filter", metavar="JQ", help="Only those whose record this is true for.")
    ] = None,
) -> None:
    """Show what is in the journal: time, ticket, who, status, text. 查看收到的消息。

    Works beside the daemon and without it, and takes nothing away.
    """
    path = settings(context, config).journal.path
    show = _shower(style)
    with suppress(KeyboardInterrupt), _selecting(expression) as wanted:
        for event in _events(path, since, 10 if count is None and since is None else count, follow):
            if wanted(event):
                show(event)


def _events(path: Path, since_ms: int | None, count: int | None, follow: bool) -> Iterator["Received"]:
    from listener.journal.query import events_after, first_since
    from listener.journal.reading import before_newest, reading

    with reading(path) as connection:
        at = 0 if since_ms is None else first_since(connection, since_ms) - 1
        at = at if count is None else max(at, before_newest(connection, count))
        while (events := events_after(connection, at, BATCH)) or follow:
            for event in events:
                at = event.seq
                if since_ms is None or event.received_ms >= since_ms:
                    yield event
            if not events:
                time.sleep(LOOK)


@contextmanager
def _selecting(expression: str | None) -> Iterator[Callable[["Received"], bool]]:
    """What says whether an event is wanted. Raises ConfigError for an expression that jq can't compile."""
    if expression is None:
        yield lambda event: True
        return
    from threading import Event

    from listener.delivery.jq import Program

    program = Program({"filter": expression}, Event())
    program.compile()
    try:
        yield partial(_is_wanted, program)
    finally:
        program.close()


def _is_wanted(program: "Program", event: "Received") -> bool:
    from listener.event import FORMATS, Unparsable

    try:
        result = program.run([FORMATS["record"](event)])[0]
    except Unparsable:
        return False
    if isinstance(result, tuple):
        note(f"event {event.event_id}: {result.reason}")
    return isinstance(result, bytes)


def _shower(style: str) -> Callable[["Received"], None]:
    return _people() if style == "people" else partial(_line, style)


def _people() -> Callable[["Received"], None]:
    from listener.base.clock import now_ms
    from listener.cli.tail_view import View

    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else None
    view = View(colours=terminal and not os.environ.get("NO_COLOR"), width=width)
    return lambda event: emit(view.line(event, now_ms()))


def _line(style: str, event: "Received") -> None:
    from listener.event import FORMATS, Unparsable

    try:
        emit_json(FORMATS[style](event).decode())
    except Unparsable as e:
        note(f"event {event.event_id} has no {style}: {e.reason}")
