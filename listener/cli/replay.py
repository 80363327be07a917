"""replay: hands journalled events to a sink again."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from listener.cli.options import Config, as_owner_of, id_option, moment, note, settings, written_by

if TYPE_CHECKING:
    from listener.journal import Redelivery

EPILOG = """\b
Examples / 示例:
  helpdesk-listen replay --sink archive --since 2h
  helpdesk-listen replay --sink archive --since "2026-11-22 09:00" --until "2026-11-22 10:00"
  helpdesk-listen replay --sink archive --ticket 6626871355780366331
  helpdesk-listen replay --sink archive --event-id 5e3702a84e847582be8db7fb73283c02
"""
TIME = '"2h" (ago), "09:00" (today), "2026-11-22 09:00".'


def replay(
    context: typer.Context,
    sink: Annotated[str, typer.Option(metavar="NAME", help="The sink, by its name in the settings.")],
    config: Config = None,
    *,
    since: Annotated[
        int | None, typer.Option(parser=moment, metavar="TIME", help=f"What was received from then on: {TIME}")
    ] = None,
    until: Annotated[
        int | None, typer.Option(parser=moment, metavar="TIME", help="What was received before then.")
    ] = None,
    ticket: Annotated[str | None, id_option("Only the messages of this ticket.")] = None,
    event_id: Annotated[list[str] | None, id_option("These events; may be repeated.")] = None,
) -> None:
    """Hand events of the journal to a sink again. 重新投递。

    Their bytes are the same as before. The daemon does it within 2 s; where none runs, this command does. What the sink
    has yet to get is not replayed.
    """
    if bool(event_id) == (since is not None or until is not None or ticket is not None):
        raise typer.BadParameter("say which events: --since, --until, --ticket or several of them, or --event-id")
    from listener.delivery.commands import redeliver, sink_config
    from listener.journal import redelivery

    wanted = settings(context, config)
    as_owner_of(*written_by(wanted))
    sink_config(wanted, sink)
    until = redelivery.ALWAYS if until is None else until
    planned = _planned(wanted.journal.path, sink, event_id or [], ticket, (since or 0, until))
    for one, (_, found) in zip(event_id or [], planned, strict=False):
        if not found:
            note(f"{one}: not in the journal any more, or still to come to {sink}")
    places = [one for one, found in planned if found]
    if not places:
        note("nothing to replay")
        raise typer.Exit(1 if event_id else 0)
    here = redeliver(wanted, redelivery.placing(places), [sink])
    count = sum(found for _, found in planned)
    note(f"{count} events {'replayed' if here else 'requested: the daemon hands them'} to {sink}")


def _planned(
    path: Path, sink: str, event_ids: list[str], ticket: str | None, span: tuple[int, int]
) -> "list[tuple[Redelivery, int]]":
    """Returns replays for the events, the ticket or the time, each with its number of events. Only reads."""
    from listener.journal import redelivery
    from listener.journal.reading import reading

    with reading(path) as connection:
        if event_ids:
            return [redelivery.replay_of(connection, sink, one) for one in event_ids]
        if ticket is not None:
            return redelivery.replay_of_ticket(connection, sink, ticket, *span)
        return [redelivery.replay(connection, sink, *span)]
