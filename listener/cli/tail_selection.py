"""Selects the events that `tail` shows: by ticket, sender, a pattern in the text, or an expression of jq."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import typer

from listener.cli.options import note
from listener.event import FORMATS, Received, Unparsable, parse
from listener.event.fields import SENDERS, number
from listener.event.plain_text import plain_text

if TYPE_CHECKING:
    from listener.delivery.jq import Program

Wanted = Callable[[Received], bool]


class Selection(AbstractContextManager["Selection"]):
    """Decides of each event whether all conditions hold; used in a `with`, since jq runs in a child process."""

    def __init__(self, ticket: str | None, sender: str | None, pattern: str | None, expression: str | None) -> None:
        self._exit = ExitStack()
        self._conditions: list[Wanted] = []
        if ticket is not None:
            self._conditions.append(lambda event: parse(event.payload).ticket_id == ticket)
        if sender is not None:
            self._conditions.append(lambda event: _sender(_body(event)) == sender)
        if pattern is not None:
            self._conditions.append(partial(_says, _compiled(pattern)))
        if expression is not None:
            self._conditions.append(partial(_passes, self._program(expression)))

    def wants(self, event: Received) -> bool:
        """Returns whether the event is shown; what can't be read has no ticket, no sender and no text."""
        try:
            return all(condition(event) for condition in self._conditions)
        except Unparsable:
            return False

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def _program(self, expression: str) -> "Program":
        """Compiles the expression. Raises ConfigError where jq can't."""
        from threading import Event

        from listener.delivery.jq import Program

        program = Program({"filter": expression}, Event())
        program.compile()
        self._exit.callback(program.close)
        return program


def _compiled(pattern: str) -> re.Pattern[str]:
    """Compiles the pattern; one in lower case ignores case, as in journalctl."""
    try:
        return re.compile(pattern, re.IGNORECASE if pattern == pattern.lower() else 0)
    except re.error as e:
        raise typer.BadParameter(f"--grep: not a regular expression: {e}") from None


def _body(event: Received) -> dict[str, Any]:
    body = parse(event.payload).envelope.get("event")
    return body if isinstance(body, dict) else {}


def _sender(body: dict[str, Any]) -> str | None:
    if "sender_type" not in body:
        return None
    return str(SENDERS.get(number(body["sender_type"]), "unknown"))  # type: ignore[call-overload] # any value may come


def _says(pattern: re.Pattern[str], event: Received) -> bool:
    body = _body(event)
    texts = (body.get("text"), plain_text(body))
    return any(isinstance(text, str) and pattern.search(text) for text in texts)


def _passes(program: "Program", event: Received) -> bool:
    result = program.run([FORMATS["record"](event)])[0]
    if isinstance(result, tuple):
        note(f"event {event.event_id}: {result.reason}")
    return isinstance(result, bytes)
