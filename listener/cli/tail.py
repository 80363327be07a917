"""tail: the journal for people."""

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from listener.base.terminal import has_colours, is_terminal
from listener.cli.options import Config, as_owner_of, emit, emit_json, moment, note, settings

if TYPE_CHECKING:
    from listener.cli.tail_selection import Selection
    from listener.event import Received

EPILOG = """\b
Examples / 示例:
  helpdesk-listen tail                       the last ten messages
  helpdesk-listen tail -f                    and those that come, until Ctrl-C
  helpdesk-listen tail --grep refund --sender guest --since 2d
  helpdesk-listen tail -f --filter '.event.sender_type_name == "guest"'
  helpdesk-listen tail --since 2h --format record | jq .event.text
"""
LOOK = 0.2  # seconds between looks with -f
BATCH = 256


def tail(
    context: typer.Context,
    config: Config = None,
    *,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Keep showing new messages as they come.")] = False,
    count: Annotated[
        int | None, typer.Option("-n", "--lines", min=0, help="How many of the newest. Default: 10; with --since all.")
    ] = None,
    since: Annotated[
        int | None,
        typer.Option(parser=moment, metavar="TIME", help='Only from then on: "2h", "09:00", "2026-11-22 09:00".'),
    ] = None,
    style: Annotated[
        Literal["people", "record", "raw", "cloudevents"],
        typer.Option("--format", help="people: aligned columns; the others: a JSON object a line."),
    ] = "people",
    ticket: Annotated[str | None, typer.Option(metavar="ID", help="Only messages of this ticket.")] = None,
    sender: Annotated[
        Literal["bot", "guest", "agent", "unknown"] | None, typer.Option(help="Only messages of this kind of sender.")
    ] = None,
    pattern: Annotated[
        str | None, typer.Option("--grep", metavar="PATTERN", help="Only messages whose text matches this regex.")
    ] = None,
    expression: Annotated[
        str | None, typer.Option("--filter", metavar="JQ", help="Only events for whose record this is true (jq).")
    ] = None,
) -> None:
    """Show the messages in the journal. 查看收到的消息。

    A line each: time, ticket, sender, status, text. Works beside the daemon and without it, and takes nothing away.
    """
    from listener.cli.tail_selection import Selection

    path = settings(context, config).journal.path
    as_owner_of(path)
    count = 10 if count is None and since is None else count
    show = _shower(style)
    with suppress(KeyboardInterrupt), Selection(ticket, sender, pattern, expression) as selection:
        for event in _events(path, since, count, follow, selection):
            show(event)


def _events(
    path: Path, since_ms: int | None, count: int | None, follow: bool, selection: "Selection"
) -> Iterator["Received"]:
    """Yields what is in the journal, only the newest `count` where that is given, then what comes."""
    from listener.journal.query import events_after, first_since, newest
    from listener.journal.reading import reading

    with reading(path) as connection:
        at = 0 if since_ms is None else first_since(connection, since_ms) - 1
        wanted = _Wanted(selection, since_ms)
        if count is not None:
            found, at = newest(connection, at, count, wanted)
            yield from found
        while (events := events_after(connection, at, BATCH)) or follow:
            for event in events:
                at = event.seq
                if wanted(event):
                    yield event
            if not events:
                time.sleep(LOOK)


class _Wanted:
    """Decides whether an event is one of those that were asked for."""

    def __init__(self, selection: "Selection", since_ms: int | None) -> None:
        self._selection, self._since_ms = selection, since_ms

    def __call__(self, event: "Received") -> bool:
        return (self._since_ms is None or event.received_ms >= self._since_ms) and self._selection.wants(event)


def _shower(style: str) -> Callable[["Received"], None]:
    return _people() if style == "people" else partial(_line, style)


def _people() -> Callable[["Received"], None]:
    from listener.base.clock import now_ms
    from listener.cli.tail_view import TailView

    width = shutil.get_terminal_size().columns if is_terminal(sys.stdout) else None
    view = TailView(colours=has_colours(sys.stdout), width=width)
    return lambda event: emit(view.line(event, now_ms()))


def _line(style: str, event: "Received") -> None:
    from listener.event import FORMATS, Unparsable

    try:
        emit_json(FORMATS[style](event).decode())
    except Unparsable as e:
        note(f"event {event.event_id} has no {style}: {e.reason}")
