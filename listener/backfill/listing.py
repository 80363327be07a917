"""Finds the tickets that changed since a time: pages of at most 200, at most 10,000 rows a query.

A ticket that changed in the window may have changed again since, so the window's end is now; its messages are cut to
the window later. A ticket that was never changed has no time of change, so those that were made are asked for, too.
A list that changes while it is read repeats rows or skips them: where that may be, it is read once more.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from listener.feishu.tickets import MAX_ROWS, PAGE_SIZE, Row, has_more

OVERLAP_MS = 60_000  # windows overlap by so much: what is just being changed may not be listed yet
SHORTEST_MS = 1000  # a window is halved down to this
READ_AGAIN = 2  # times
Window = tuple[str, int, int]  # by which time, from, until in Unix ms


class TicketLists(Protocol):
    """The one call of `TicketsApi` that a listing needs."""

    def tickets(self, kind: str, since_ms: int, until_ms: int, page: int) -> tuple[int, list[Row]]: ...


@dataclass
class Listing:
    """The tickets by their ids; `incomplete` says why some may be missing, "" where none is."""

    tickets: dict[str, Row] = field(default_factory=dict)
    incomplete: str = ""


def changed(api: TicketLists, since_ms: int, now_ms: int, check: Callable[[], None] = lambda: None) -> Listing:
    """Returns the tickets that changed, or were made, from `since_ms` on. `check` raises where the listing must end."""
    lists = [Listing(), Listing()]
    for kind, found in zip(("update_time", "create_time"), lists, strict=True):
        _window(api, found, (kind, since_ms - OVERLAP_MS, now_ms + OVERLAP_MS), check)
    return Listing(lists[0].tickets | lists[1].tickets, lists[0].incomplete or lists[1].incomplete)


def _window(api: TicketLists, found: Listing, window: Window, check: Callable[[], None]) -> None:
    """Adds a window's tickets; a window with more than a query gives is halved."""
    check()
    kind, since_ms, until_ms = window
    total, first = api.tickets(*window, 1)
    is_too_long = total >= MAX_ROWS and len(first) >= PAGE_SIZE
    tickets = _with_ids(first)
    if is_too_long and tickets.keys() <= found.tickets.keys():  # a total that lies would be halved for days
        found.incomplete = found.incomplete or "the platform lists the same tickets again for other times"
        return
    if is_too_long and until_ms - since_ms > SHORTEST_MS:
        middle = (since_ms + until_ms) // 2
        _window(api, found, (kind, since_ms, middle), check)
        _window(api, found, (kind, middle, until_ms), check)
        return
    if is_too_long:
        found.incomplete = f"the platform lists {MAX_ROWS} tickets of a second at most, and there are more"
    for _ in range(READ_AGAIN + 1):
        stable = _pages(api, window, (total, first), tickets, check)
        if stable:
            break
        total, first = api.tickets(*window, 1)
        tickets |= _with_ids(first)
    else:
        found.incomplete = f"the platform listed {len(tickets)} of {total} tickets, and then the same ones again"
    found.tickets |= tickets


def _pages(
    api: TicketLists, window: Window, first: tuple[int, list[Row]], tickets: dict[str, Row], check: Callable[[], None]
) -> bool:
    """Adds the tickets of the pages after the first; returns whether the list stayed the same meanwhile."""
    (total, rows), page, stable = first, 1, True
    while page < MAX_ROWS // PAGE_SIZE and has_more(total, page, rows):
        check()
        page += 1
        now, rows = api.tickets(*window, page)
        fresh = _with_ids(rows)
        stable &= now == total and not fresh.keys() & tickets.keys()
        if not fresh.keys() - tickets.keys():
            break  # a page that repeats, or is empty: more of them would not end
        tickets |= fresh
    return stable or len(tickets) >= total > 0


def _with_ids(rows: list[Row]) -> dict[str, Row]:
    return {str(row["ticket_id"]): row for row in rows if type(row.get("ticket_id")) in (str, int)}
