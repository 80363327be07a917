"""dead-letters: what a sink would not take, and payloads that can't be read."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from listener.cli.options import Config, as_owner_of, emit, emit_json, note, settings, written_by

if TYPE_CHECKING:
    from listener.journal.model import DeadLetter
    from listener.settings.config import Settings

app = typer.Typer(
    name="dead-letters",
    help="What a sink would not take: list, retry, discard. 死信。",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="As `list` shows them: 12, a3.")]
Sink = Annotated[
    str | None, typer.Option(metavar="NAME", help='Those of this sink; "-": payloads that can\'t be read.')
]
All = Annotated[bool, typer.Option("--all", help="All of them.")]


@app.command("list")
def list_(
    context: typer.Context,
    config: Config = None,
    sink: Sink = None,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object a line.")] = False,
) -> None:
    """Show them: id, sink, time, attempts, event, reason. 列出死信。"""
    letters = _read(settings(context, config), sink)
    if as_json:
        _emit_json(letters)
        return
    from listener.base.clock import now_ms
    from listener.cli.tail_view import clean
    from listener.cli.times import local

    for letter in letters:
        at, event = local(letter.at_ms, now_ms()), clean(letter.event_id or f"{letter.size} bytes")
        reason = clean(letter.reason) + (" (being retried)" if letter.retrying else "")
        emit(f"{letter.name:>6}  {letter.sink:16}  {at:16}  {letter.attempts:>4}x  {event}  {reason}")
    if not letters:
        note("no dead letters")


@app.command()
def retry(context: typer.Context, ids: Ids = None, config: Config = None, sink: Sink = None, all_: All = False) -> None:
    """Hand them to their sinks again. 重试死信。

    The daemon does it within 2 s; where none runs, this command does.
    """
    wanted = settings(context, config)
    as_owner_of(*written_by(wanted))
    letters = _chosen(_read(wanted, sink), ids, everything=all_ or bool(sink))
    if not letters:
        note("there are no dead letters to retry")
    _reread(wanted, [letter.id for letter in letters if letter.name.startswith("a")])
    _retry(wanted, [letter for letter in letters if not letter.name.startswith("a")])


@app.command()
def discard(
    context: typer.Context,
    ids: Ids = None,
    config: Config = None,
    *,
    sink: Sink = None,
    all_: All = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this, only say what would be done.")] = False,
) -> None:
    """Give them up for good: their sinks will never get them. 丢弃死信。

    Does nothing without --yes.
    """
    wanted = settings(context, config)
    as_owner_of(*written_by(wanted))
    letters = [one for one in _chosen(_read(wanted, sink), ids, everything=all_ or bool(sink)) if not one.retrying]
    if not yes:
        note(f"would discard {len(letters)}: {' '.join(letter.name for letter in letters)}\nadd --yes to do it")
        return
    from listener.delivery.commands import discard as remove

    remove(wanted, letters)
    note(f"{len(letters)} discarded")


def _read(wanted: "Settings", sink: str | None) -> "list[DeadLetter]":
    from listener.journal.reading import dead_letters, reading

    with reading(wanted.journal.path) as connection:
        return dead_letters(connection, sink)


def _chosen(letters: "Iterable[DeadLetter]", ids: Sequence[str] | None, *, everything: bool) -> "list[DeadLetter]":
    if bool(ids) == everything:
        raise typer.BadParameter("say which ones: their ids, --sink or --all")
    by_name = {letter.name: letter for letter in letters}
    if unknown := [one for one in ids or [] if one not in by_name]:
        raise typer.BadParameter(f"no such dead letter: {' '.join(unknown)}")
    return [by_name[one] for one in dict.fromkeys(ids)] if ids else list(by_name.values())


def _retry(wanted: "Settings", letters: "Sequence[DeadLetter]") -> None:
    if not letters:
        return
    from listener.delivery.commands import redeliver
    from listener.journal.redelivery import retrying

    here = redeliver(wanted, retrying(letters), {letter.sink for letter in letters})
    note(f"{len(letters)} {'retried' if here else 'requested: the daemon retries them'}")


def _reread(wanted: "Settings", ids: Sequence[int]) -> None:
    if not ids:
        return
    from listener.delivery.commands import read_again

    for one, problem in read_again(wanted, ids).items():
        note(f"a{one}: {problem or 'read, and journalled as an event'}")


def _emit_json(letters: "Iterable[DeadLetter]") -> None:
    import json

    from listener.event import timestamp

    for letter in letters:
        known = {
            "id": letter.name,
            "sink": letter.sink,
            "seq": letter.seq,
            "event_id": letter.event_id,
            "reason": letter.reason,
            "attempts": letter.attempts,
            "at": timestamp(letter.at_ms),
            "ordered": letter.retrying,
        }
        emit_json(json.dumps(known, ensure_ascii=False))
