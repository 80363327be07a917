"""Finds the tickets that changed since a time: pages of at most 200, at most 10,000 rows a query.

A ticket that changed in the window may have changed again since, so the window's end is now; its messages are cut to
the window later. A ticket that was never changed has no time of change, so those that were made are asked for, too.
A list that changes while it is read repeats rows or skips them: where that may be, it is read once more.
"""

from collections.abc import Callable, Iterator

from listener.base.logs import get_logger
from listener.feishu.tickets import MAX_ROWS, PAGE_SIZE, Row, TicketsApi

OVERLAP_MS = 60_000  # windows overlap by so much: what is just being changed may not be listed yet
SHORTEST_MS = 1000  # a window is halved down to this
READ_AGAIN = 2  # times
log = get_logger(__name__)


def changed(api: TicketsApi, since_ms: int, now_ms: int, check: Callable[[], None] = lambda: None) -> dict[str, Row]:
    """The tickets that changed, or were made, from `since_ms` on, by their ids. `check` raises where it must end."""
    found: dict[str, Row] = {}
    for kind in ("update_time", "create_time"):
        for ticket in _window(api, kind, since_ms - OVERLAP_MS, now_ms + OVERLAP_MS, check):
            found[str(ticket["ticket_id"])] = ticket
    return found


def _window(api: TicketsApi, kind: str, since_ms: int, until_ms: int, check: Callable[[], None]) -> Iterator[Row]:
    """A window's tickets; one with more than a query gives is halved."""
    check()
    total, first = api.tickets(kind, since_ms, until_ms, 1)
    if total >= MAX_ROWS and until_ms - since_ms > SHORTEST_MS:
        middle = (since_ms + until_ms) // 2
        yield from _window(api, kind, since_ms, middle, check)
        yield from _window(api, kind, middle, until_ms, check)
        return
    if total >= MAX_ROWS:
        log.warning("a second has more tickets than the platform lists: some are not fetched", tickets=total)
    tickets = _with_ids(first)
    for _ in range(READ_AGAIN + 1):
        stable, total = _pages(api, (kind, since_ms, until_ms), total, tickets, check)
        if stable:
            break
        total, first = api.tickets(kind, since_ms, until_ms, 1)
        tickets |= _with_ids(first)
    else:
        log.warning("the list of tickets did not stand still: some may be missing", listed=len(tickets), of=total)
    yield from tickets.values()


def _pages(
    api: TicketsApi, window: tuple[str, int, int], total: int, tickets: dict[str, Row], check: Callable[[], None]
) -> tuple[bool, int]:
    """Reads the pages after the first; (whether the list stood still, how many there are)."""
    stable = True
    for page in range(2, -(-min(total, MAX_ROWS) // PAGE_SIZE) + 1):
        check()
        now, rows = api.tickets(*window, page)
        fresh = _with_ids(rows)
        stable &= now == total and not fresh.keys() & tickets.keys()
        if not fresh.keys() - tickets.keys():
            break  # a page that repeats, or is empty: more of them would not end
        tickets |= fresh
    return stable or len(tickets) >= total, total


def _with_ids(rows: list[Row]) -> dict[str, Row]:
    return {str(row["ticket_id"]): row for row in rows if type(row.get("ticket_id")) in (str, int)}
