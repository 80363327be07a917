"""Shows events to people: a line each, in columns that stay aligned whatever the script. Pure."""

import re
import unicodedata
from typing import Any

from listener.base.text import printable
from listener.cli.times import local
from listener.event import Received, Unparsable, parse
from listener.event.fields import SENDERS, STATUSES, TICKET_MESSAGE, number
from listener.event.payload import object_of

_TIME, _TICKET, _WHO, _STATUS = 16, 19, 5, 16  # columns
_DIM, _RESET = "2", "\x1b[0m"
_WHO_COLOURS = {"bot": "36", "guest": "33", "agent": "32"}  # SGR: cyan, yellow, green
_CLOSED = re.compile("closed_")


class TailView:
    """Makes a line of each event for people, in the columns of `tail`.

    `width` cuts the lines, in columns of the terminal; None: they are not cut.
    """

    def __init__(self, *, colours: bool, width: int | None) -> None:
        self._colours, self._width = colours, width

    def line(self, received: Received, now_ms: int) -> str:
        """Returns the line of an event: time, ticket, who, status and text."""
        ticket, who, status, text = _facts(received)
        columns = [
            self._cell(local(received.received_ms, now_ms), _TIME, _DIM),
            self._cell(ticket, _TICKET, ""),
            self._cell(who, _WHO, _WHO_COLOURS.get(who, "")),
            self._cell(status, _STATUS, _DIM if _CLOSED.match(status) else ""),
        ]
        used = _TIME + _TICKET + _WHO + _STATUS + 2 * len(columns)
        room = None if self._width is None else max(1, self._width - used)
        return "  ".join([*columns, clean(text) if room is None else fit(clean(text), room)]).rstrip()

    def _cell(self, text: str, width: int, colour: str) -> str:
        cut = fit(clean(text), width)
        padding = " " * (width - width_of(cut))
        return (f"\x1b[{colour}m{cut}{_RESET}" if self._colours and colour else cut) + padding


def _facts(received: Received) -> tuple[str, str, str, str]:
    """Returns ticket, who, status and text, "" or "-" where there is none."""
    try:
        event = parse(received.payload)
    except Unparsable as e:
        return "-", "", "", f"({e.reason})"
    body = object_of(event.envelope.get("event"))
    if event.event_type != TICKET_MESSAGE:
        inner = object_of(body.get("object")) or body
        return event.ticket_id or "-", "", _name(STATUSES, inner.get("status")), f"({event.event_type})"
    status = _name(STATUSES, object_of(body.get("ticket")).get("status"))
    return event.ticket_id or "-", _name(SENDERS, body.get("sender_type")), status, _text(body)


def _text(body: dict[str, Any]) -> str:
    text, kind = body.get("text"), body.get("msg_type")
    words = text if isinstance(text, str) else ""
    return words if kind in ("text", None) else f"[{kind}] {words}"


def _name(names: Any, code: Any) -> str:
    value = number(code)
    return str(names.get(value, value)) if type(value) is int else ""


def clean(text: str) -> str:
    """Returns one line, without what would move a terminal's cursor or turn its text around."""
    return printable(text).strip()


def width_of(text: str) -> int:
    """Returns how many columns of a terminal the text takes (Unicode Standard Annex 11)."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def fit(text: str, width: int) -> str:
    """Returns as much of the text as `width` columns hold, with an ellipsis for the rest."""
    if width_of(text) <= width:
        return text
    used, kept = 1, ""
    for character in text:
        used += _columns(character)
        if used > width:
            break
        kept += character
    return kept + "…"


def _columns(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
