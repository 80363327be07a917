"""Calls the helpdesk's reading APIs in the terms of those who use them: tickets, messages, one ticket, fields, images.

What is returned is what the platform sent, checked for its shape alone. Times are Unix milliseconds.
"""

from typing import Any

from listener.base.errors import Unavailable
from listener.event.fields import number
from listener.feishu import answers
from listener.feishu.http_api import FIELDS_PATH, IMAGES_PATH, TICKETS_PATH, Api, Helpdesk

PAGE_SIZE = 200
MAX_ROWS = 10_000  # of one query, however it is paged
Row = dict[str, Any]


class TicketsApi:
    """Makes one helpdesk's calls, which block and raise as `Api` does, and `answers.Gone` for what was deleted."""

    def __init__(self, api: Api, helpdesk: Helpdesk) -> None:
        self.api, self.helpdesk = api, helpdesk

    def tickets(self, kind: str, since_ms: int, until_ms: int, page: int) -> tuple[int, list[Row]]:
        """Returns how many tickets have their `kind` ("create_time", "update_time") in between, and a page of them."""
        bounds = {f"{kind}_start": since_ms, f"{kind}_end": until_ms}
        data = self._data(TICKETS_PATH, page=page, page_size=PAGE_SIZE, **bounds)
        return _total(data), _rows(data, "tickets")

    def messages(self, ticket_id: str, bounds: tuple[int, int] | None, page: int) -> tuple[int, list[Row]]:
        """Returns the number of messages, and a page of them; `bounds` are in the caller's unit of time, None: all."""
        times = {"time_start": bounds[0], "time_end": bounds[1]} if bounds else {}
        path = f"{TICKETS_PATH}/{_segment(ticket_id)}/messages"
        data = self._data(path, page=page, page_size=PAGE_SIZE, **times)
        return _total(data), _rows(data, "messages", "items")

    def ticket(self, ticket_id: str) -> Row:
        """Returns the ticket as it is now."""
        ticket = self._data(f"{TICKETS_PATH}/{_segment(ticket_id)}").get("ticket")
        if not isinstance(ticket, dict):
            raise Unavailable("the answer holds no ticket", hint=answers.NETWORK)
        return ticket

    def option_names(self) -> dict[str, str]:
        """Returns the names that people see of every drop-down's options, by their ids."""
        names: dict[str, str] = {}
        _collect(_rows(self._data(FIELDS_PATH, page_size=50), "items"), names)
        return names

    def image(self, ticket_id: str, message_id: str, index: int) -> bytes:
        """Returns the bytes of a message's image, whatever they are."""
        query = {"ticket_id": ticket_id, "msg_id": message_id, "index": index}
        return self.api.get_bytes(IMAGES_PATH, self.helpdesk, **query)[1]

    def _data(self, path: str, **query: Any) -> Row:
        data = self.api.get(path, self.helpdesk, **query).get("data")
        if not isinstance(data, dict):
            raise Unavailable("the answer has no data", hint=answers.NETWORK)
        return data


def _segment(ticket_id: str) -> str:
    """Returns an id as a part of a path: an event's ticket_id is what a stranger may have chosen. Raises Gone."""
    if not ticket_id.isascii() or not ticket_id.replace("_", "").isalnum() or len(ticket_id) > 64:
        raise answers.Gone("not a ticket's id")
    return ticket_id


def has_more(total: int, page: int, rows: list[Row]) -> bool:
    """Returns whether a list goes on after this page: a full page may not be the last one, whatever `total` says."""
    return page * PAGE_SIZE < total or len(rows) >= PAGE_SIZE


def _total(data: Row) -> int:
    total = number(data.get("total"))
    return total if type(total) is int else 0


def _rows(data: Row, *names: str) -> list[Row]:
    rows: list[Any] = next((data[name] for name in names if isinstance(data.get(name), list)), [])
    if not rows and any(data.get(name) for name in names):
        raise Unavailable(f"the answer holds no list of {names[0]}", hint=answers.NETWORK)
    return [row for row in rows if isinstance(row, dict)]


def _collect(value: object, names: dict[str, str], depth: int = 6) -> None:
    """Finds every object with `id` and `display_name`, at whatever place a drop-down keeps its options."""
    if depth and isinstance(value, list):
        for one in value:
            _collect(one, names, depth - 1)
    elif depth and isinstance(value, dict):
        if isinstance(value.get("id"), str | int) and isinstance(value.get("display_name"), str):
            names[str(value["id"])] = value["display_name"]
        for one in value.values():
            _collect(one, names, depth - 1)
