"""backfill: fetches by the API what was missed."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from listener.base.errors import Unavailable
from listener.base.terminal import is_terminal
from listener.cli.options import Config, as_owner_of, emit, moment, note, settings, written_by

if TYPE_CHECKING:
    from listener.journal.backfills import Backfill
    from listener.settings.config import Settings

EPILOG = """\b
Examples / 示例:
  helpdesk-listen backfill --since 2d                 the last two days
  helpdesk-listen backfill --since 2d --dry-run       how much that would be
  helpdesk-listen backfill --since "2026-11-22" --until "2026-11-23"
"""
TIME = '"2d" (ago), "09:00" (today), "2026-11-22 09:00".'


def backfill(
    context: typer.Context,
    since: Annotated[
        int, typer.Option(parser=moment, metavar="TIME", help=f"Messages from then on: {TIME}", show_default=False)
    ],
    config: Config = None,
    *,
    until: Annotated[int | None, typer.Option(parser=moment, metavar="TIME", help="Messages before then.")] = None,
    helpdesk_id: Annotated[
        str | None, typer.Option(metavar="ID", help="Another helpdesk than feishu.helpdesk_id; needs --token-file.")
    ] = None,
    token_file: Annotated[Path | None, typer.Option(metavar="FILE", help="That helpdesk's token.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count the tickets, and fetch no message.")] = False,
) -> None:
    """Fetch by the API the ticket messages that were missed. 补取遗漏的工单消息。

    Each goes to the sinks once; those that are in the journal do not come again. Where the daemon runs, it does the
    work, and goes on if this command ends.
    """
    from listener.base.clock import now_ms

    if bool(helpdesk_id) != bool(token_file):
        raise typer.BadParameter("--helpdesk-id needs its --token-file, and the other way round")
    end = now_ms() if until is None else until
    if since >= end:
        raise typer.BadParameter("--since is not before --until")
    wanted = settings(context, config)
    as_owner_of(*written_by(wanted))
    file = str(token_file.absolute()) if token_file else ""
    if dry_run:
        _count(wanted, since, helpdesk_id or "", file)
    else:
        _fetch(wanted, since, end, helpdesk_id or "", file)


def _count(wanted: "Settings", since: int, helpdesk_id: str, token_file: str) -> None:
    from listener.backfill.command import api_maker, calls_so_far, count
    from listener.feishu.http_api import Api
    from listener.feishu.meter import Meter
    from listener.feishu.transport import network_of

    meter = Meter(wanted.feishu.max_calls_per_month)
    meter.restore(meter.month, *calls_so_far(wanted.journal.path))
    api = Api(wanted.feishu, network_of(wanted.feishu), tell=note, meter=meter)
    tickets, calls, incomplete = count(wanted, api_maker(wanted.feishu, api)(helpdesk_id, token_file), since)
    limit = wanted.feishu.max_calls_per_month
    emit(
        f"{tickets} tickets changed; fetching their messages takes about {calls} calls of the API"
        f" ({meter.total()} made this month{f', of at most {limit}' if limit else ''})"
    )
    if incomplete:
        note(f"there may be more: {incomplete}")


def _fetch(wanted: "Settings", since: int, until: int, helpdesk_id: str, token_file: str) -> None:
    from listener.backfill.command import carry_out, place, progress
    from listener.delivery.commands import without_daemon
    from listener.feishu.http_api import helpdesk_of
    from listener.journal import backfills

    if not token_file:
        helpdesk_id = helpdesk_of(wanted.feishu).id
    tell = _teller()
    with without_daemon(wanted) as journal:
        if journal is None:
            one = place(wanted.journal.path, lambda c: backfills.ask(c, since, until, helpdesk_id, token_file))
            note("the daemon fetches; it goes on if this command ends")
            for job in progress(wanted.journal.path, one):
                tell(job)
        else:
            one = journal.do(lambda c: backfills.ask(c, since, until, helpdesk_id, token_file))
            carry_out(wanted, journal, tell)
            found = journal.ask(lambda connection: backfills.job(connection, one))
            if found:
                tell(found)
    _result(wanted.journal.path, one)


def _result(journal: Path, one: int) -> None:
    from listener.journal import backfills
    from listener.journal.reading import reading

    with reading(journal) as connection:
        job = backfills.job(connection, one)
    if job is None or job.state == "failed":
        raise Unavailable(f"the backfill failed: {job.note if job else 'it is gone'}", hint="run it again: it goes on")
    emit(
        f"{job.fresh} new messages of {job.messages} in {job.tickets_done} tickets, by {job.calls} calls of the API;"
        f" {job.note}"
    )
    if job.state == "incomplete":
        raise Unavailable("messages may be missing", hint="run it again in a while: what is kept does not come twice")


def _teller() -> "Callable[[Backfill], None]":
    """Shows a job's progress on stderr: a bar that is written over on a terminal, else a line when it changes."""
    on_terminal = is_terminal(sys.stderr)
    last = [""]

    def tell(job: "Backfill") -> None:
        text = line(job)
        if text == last[0]:
            return
        last[0] = text
        if on_terminal:
            ended = job.ended_ms is not None
            print(f"\r\x1b[K{bar(job)}", end="\n" if ended else "", file=sys.stderr, flush=True)  # noqa: T201 stderr
        else:
            note(text)

    return tell


def line(job: "Backfill") -> str:
    """Returns the job's progress in words."""
    if job.state == "listing":
        return "looking for tickets that changed …"
    return f"{job.tickets_done} of {job.tickets} tickets, {job.messages} messages, {job.fresh} new"


def bar(job: "Backfill", width: int = 30) -> str:
    """Returns the job's progress as a bar."""
    share = job.tickets_done / job.tickets if job.tickets else float(job.ended_ms is not None)
    full = round(share * width)
    return f"[{'#' * full}{'.' * (width - full)}] {line(job)}"
