"""Summarises an event as a list shows it: who, when, to which ticket, the words. Pure; it raises for no type."""

from collections.abc import Sequence
from typing import Any

import msgspec

from listener.base.text import printable
from listener.event import Received, Unparsable, parse
from listener.event.fields import SENDERS, STATUSES, TICKET_MESSAGE, number
from listener.event.payload import object_of, text_of
from listener.event.plain_text import pictures_of, plain_text

LONGEST = 2000  # characters of a message in a list
PICTURES = 9  # of a message
encode = msgspec.json.Encoder().encode


class Summary(msgspec.Struct, omit_defaults=True, gc=False):
    """What the page shows of an event in a list.

    `at` is the receipt and `created` the header's time, both in Unix ms; `more` counts the characters that are cut off.
    """

    seq: int
    event_id: str
    at: int
    type: str = ""
    created: int | None = None
    ticket: str = ""
    sender: str = ""
    who: str = ""
    agent: str = ""
    status: str = ""
    kind: str = ""
    text: str = ""
    more: int = 0
    pictures: tuple[str, ...] = ()
    first_response: float | None = None  # seconds, as the ticket tells it
    problem: str = ""


def summary(received: Received) -> Summary:
    """Returns what a list shows of an event."""
    event_id = printable(received.event_id)[:200]
    try:
        event = parse(received.payload)
    except Unparsable as e:
        return Summary(received.seq, event_id, received.received_ms, problem=e.reason)
    body = event.envelope.get("event")
    body = body if type(body) is dict else {}
    ticket = object_of(body.get("ticket")) or object_of(body.get("object")) or body
    words = plain_text(body) if event.event_type == TICKET_MESSAGE else None
    text = (words or "")[: LONGEST + 1]
    return Summary(
        received.seq,
        event_id,
        received.received_ms,
        type=printable(event.event_type)[:100],
        created=event.created_ms,
        ticket=printable(event.ticket_id or "")[:100],
        sender=_name(SENDERS, body.get("sender_type")),
        who=_who(body.get("sender_id")),
        agent=printable(text_of(object_of(ticket.get("agent_owner")).get("name")))[:60],
        status=_name(STATUSES, ticket.get("status")),
        kind=printable(text_of(body.get("msg_type")))[:40],
        text=text[:LONGEST],
        more=max(0, len(words or "") - LONGEST),
        pictures=_pictures(body),
        first_response=_seconds(ticket.get("agent_first_response_duration")),
    )


def matches(one: Summary, words: Sequence[str]) -> bool:
    """Returns whether each of the words, in lower case, stands in the ticket's id, status, sender or text."""
    where = f"{one.ticket}\n{one.sender}\n{one.who}\n{one.agent}\n{one.status}\n{one.text}".lower()
    return all(word in where for word in words)


def _name(names: Any, code: Any) -> str:
    value = number(code)
    return str(names.get(value, "unknown")) if type(value) is int else ""


def _who(sender: Any) -> str:
    ids = object_of(sender)
    return next(
        (printable(text)[:80] for name in ("open_id", "user_id", "union_id") if (text := text_of(ids.get(name)))), ""
    )


def _pictures(body: dict[str, Any]) -> tuple[str, ...]:
    """Returns the keys of a message's images, "" for those whose keys stand elsewhere, such as in rich text."""
    keys = [printable(key)[:100] for key in _keys(body.get("content")) if type(key) is str and key]
    return tuple((keys + [""] * (pictures_of(body) - len(keys)))[:PICTURES])


def _keys(content: Any) -> list[Any]:
    if type(content) is str:
        try:
            content = msgspec.json.decode(content)
        except (ValueError, RecursionError):
            return []
    keys = object_of(content).get("image_keys") or [object_of(content).get("image_key")]
    return keys if type(keys) is list else []


def _seconds(value: Any) -> float | None:
    seconds = number(value)
    return float(seconds) if type(seconds) in (int, float) and 0 < seconds < 1e9 else None  # type: ignore[operator, arg-type]
