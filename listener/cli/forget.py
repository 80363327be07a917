"""forget: erases a ticket's or a person's events from the journal, and says where else they may lie."""

import re
import time
from typing import TYPE_CHECKING, Annotated

import typer

from listener.cli.options import Config, as_owner_of, emit, id_option, note, settings, written_by

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from listener.journal.erasure import Found
    from listener.settings.config import Settings

PATIENCE = 5.0  # seconds for the daemon to clean its log
LOOK = 0.1
NAMED_BY_CONTENT = re.compile(r"[0-9a-f]{64}\.[a-z]{3,4}")
EPILOG = """\b
Examples / 示例:
  helpdesk-listen forget --ticket-id 6626871355780366331          what would be erased
  helpdesk-listen forget --open-id ou_7dab8a3d3cdcc9da365777c7ad535d62 --yes
"""


def forget(
    context: typer.Context,
    config: Config = None,
    *,
    ticket_id: Annotated[str | None, id_option("The events of this ticket.")] = None,
    open_id: Annotated[str | None, id_option("All events that name this person.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this, only say what would be done.")] = False,
) -> None:
    """Erase a ticket's or a person's events. 删除工单或个人数据。

    It erases them from the journal and the dead letters; without --yes it only previews. What sinks have delivered
    already stays where they put it: the command names each place, and how to remove it there.
    """
    text = ticket_id or open_id
    if not text or (ticket_id and open_id):
        raise typer.BadParameter("say whose events: --ticket-id or --open-id")
    from listener.delivery.commands import erase

    wanted = settings(context, config)
    as_owner_of(*written_by(wanted))
    found, waiting = _found(wanted.journal.path, ticket_id, open_id)
    parts = {"events": found.seqs, "unreadable ones": found.quarantined, "images": found.images}
    size = ", ".join(f"{len(those)} {what}" for what, those in parts.items() if those or what == "events")
    if not yes:
        note(f"would erase {size}; add --yes to do it")
    elif found:
        here = erase(wanted, found)
        _remove_images(wanted.enrich.attachments, found.images)
        note(f"{size} erased" + ("" if here or _is_clean(wanted.journal.path) else "; the log follows within a minute"))
    else:
        note("nothing of that is in the journal")
    if waiting:
        note(f"{waiting} of them have yet to reach a sink, and {'will not' if yes else 'would not'} any more")
    _tell_elsewhere(wanted, "ticket_id" if ticket_id else "open_id", text)


def _found(path: "Path", ticket_id: str | None, open_id: str | None) -> "tuple[Found, int]":
    """Returns what is to be erased, and how many of these events some sink has yet to get."""
    from listener.journal import erasure
    from listener.journal.reading import reading

    with reading(path) as connection:
        events = erasure.of_ticket(connection, ticket_id) if ticket_id else erasure.of_person(connection, open_id or "")
        found = erasure.found(connection, ticket_id or open_id or "", events)
        return found, erasure.undelivered(connection, found.seqs)


def _remove_images(folder: "Path | None", names: "Sequence[str]") -> None:
    """Removes files that the daemon named by their content, and no others."""
    for name in names:
        if folder and NAMED_BY_CONTENT.fullmatch(name):
            (folder / name).unlink(missing_ok=True)


def _is_clean(path: "Path") -> bool:
    """Waits a moment for the daemon to overwrite its log; returns whether it has."""
    from listener.journal.erasure import is_taken
    from listener.journal.reading import reading

    until = time.monotonic() + PATIENCE
    with reading(path) as connection:
        while not (clean := is_taken(connection)) and time.monotonic() < until:
            time.sleep(LOOK)
    return clean


def _tell_elsewhere(wanted: "Settings", kind: str, text: str) -> None:
    """Tells where sinks have put the events, with a command that removes them where there is one."""
    from listener.base.text import printable

    word = printable(text)
    for sink in wanted.sinks:
        if path := getattr(sink, "path", None):
            emit(f"# {sink.name}: every line that names it, in {path} and its rotated files; stop the daemon meanwhile")
            emit(f"grep -v -F {_quoted(word)} {_quoted(str(path))} > {_quoted(f'{path}.kept')}")
        elif sink.type == "postgresql":
            column = "ticket_id" if kind == "ticket_id" else "sender_open_id"
            emit(f"# {sink.name}: in the database")
            emit(f"DELETE FROM {getattr(sink, 'table', '')} WHERE {column} = {_sql(word)};")  # noqa: S608 to be read
        elif sink.type not in ("stdout", "log"):
            emit(f"# {sink.name}: what the other end ({sink.type}) keeps, it must erase itself")
    emit(f"# files that a recovery moved aside, if any: {wanted.journal.path}.damaged-*")


def _quoted(text: str) -> str:
    from shlex import quote

    return quote(text)


def _sql(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
