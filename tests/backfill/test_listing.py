"""How the tickets that changed are listed: in windows that a query can give, and again where the list has moved."""

from collections.abc import Callable

from listener.backfill.listing import READ_AGAIN, SHORTEST_MS, changed
from listener.feishu.tickets import MAX_ROWS, PAGE_SIZE, Row

NOW = 1_790_000_000_000  # Unix ms
HOUR = 3_600_000


class Helpdesk:
    """A list of tickets by the time of their change, as the platform gives it: at most MAX_ROWS of a query."""

    def __init__(self, *times: int) -> None:
        self.times = dict(enumerate(times))
        self.queries: list[tuple[str, int, int, int]] = []
        self.on_query: Callable[[], None] = lambda: None

    def tickets(self, kind: str, since_ms: int, until_ms: int, page: int) -> tuple[int, list[Row]]:
        self.queries.append((kind, since_ms, until_ms, page))
        self.on_query()
        found = [] if kind == "create_time" else [n for n, at in self.times.items() if since_ms <= at <= until_ms]
        rows = found[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
        return min(len(found), MAX_ROWS), [{"ticket_id": str(number)} for number in rows]


def test_a_window_with_more_than_a_query_gives_is_halved() -> None:
    count = 2 * MAX_ROWS + 500
    helpdesk = Helpdesk(*(NOW - 10 * HOUR + n * 10 * HOUR // count for n in range(count)))
    found = changed(helpdesk, NOW - 10 * HOUR, NOW)
    assert (count, "") == (len(found.tickets), found.incomplete)
    assert all(page * PAGE_SIZE <= MAX_ROWS for _, _, _, page in helpdesk.queries)


def test_a_second_with_more_than_a_query_gives_is_told() -> None:
    found = changed(Helpdesk(*[NOW - HOUR] * (MAX_ROWS + 1)), NOW - 2 * HOUR, NOW)
    assert MAX_ROWS == len(found.tickets)
    assert f"lists {MAX_ROWS} tickets of a second at most" in found.incomplete


def test_the_shortest_window_is_a_second() -> None:
    helpdesk = Helpdesk(*[NOW - HOUR] * (MAX_ROWS + 1))
    changed(helpdesk, NOW - 2 * HOUR, NOW)
    assert min(until - since for _, since, until, _ in helpdesk.queries) >= SHORTEST_MS // 2


def test_a_list_that_moved_while_it_was_read_is_read_once_more() -> None:
    """A ticket that leaves the first page pulls another one onto it, which would be passed over."""
    helpdesk = Helpdesk(*[NOW - HOUR] * (PAGE_SIZE + 5))

    def leaves() -> None:
        if len(helpdesk.queries) == 2:
            del helpdesk.times[0]

    helpdesk.on_query = leaves
    found = changed(helpdesk, NOW - 2 * HOUR, NOW)
    assert ({str(n) for n in range(PAGE_SIZE + 5)}, "") == (set(found.tickets), found.incomplete)


def test_a_list_that_never_stands_still_is_told() -> None:
    helpdesk = Helpdesk(*[NOW - HOUR] * (2 * PAGE_SIZE))

    def another() -> None:
        """At the front, so that every page repeats rows of the one before."""
        first = min(helpdesk.times) - PAGE_SIZE
        helpdesk.times = dict.fromkeys(range(first, 2 * PAGE_SIZE), NOW - HOUR)

    helpdesk.on_query = another
    found = changed(helpdesk, NOW - 2 * HOUR, NOW)
    assert "and then the same ones again" in found.incomplete
    lists = [page for kind, _, _, page in helpdesk.queries if kind == "update_time" and page == 1]
    assert 2 + READ_AGAIN == len(lists)


def test_a_row_without_an_id_is_passed_over() -> None:
    class Odd(Helpdesk):
        def tickets(self, kind: str, since_ms: int, until_ms: int, page: int) -> tuple[int, list[Row]]:
            return 3, [{"ticket_id": 7}, {"ticket_id": None}, {}]

    assert ["7"] == [*changed(Odd(), NOW - HOUR, NOW).tickets]


def test_a_total_that_lies_does_not_halve_the_window_for_days() -> None:
    """Every halving costs a call of the month's budget."""

    class Lies(Helpdesk):
        def tickets(self, kind: str, since_ms: int, until_ms: int, page: int) -> tuple[int, list[Row]]:
            return MAX_ROWS, super().tickets(kind, since_ms, until_ms, page)[1]

    helpdesk = Lies(*[NOW - HOUR] * 5)
    found = changed(helpdesk, NOW - 30 * 24 * HOUR, NOW)
    assert (5, "", True) == (len(found.tickets), found.incomplete, len(helpdesk.queries) < 9)


def test_a_list_that_is_the_same_for_any_time_is_told_soon() -> None:
    class Same(Helpdesk):
        def tickets(self, kind: str, since_ms: int, until_ms: int, page: int) -> tuple[int, list[Row]]:
            self.queries.append((kind, since_ms, until_ms, page))
            return MAX_ROWS, [{"ticket_id": str(number)} for number in range(PAGE_SIZE)]

    helpdesk = Same()
    found = changed(helpdesk, NOW - 30 * 24 * HOUR, NOW)
    assert PAGE_SIZE == len(found.tickets)
    assert "the same ones again" in found.incomplete
    assert len(helpdesk.queries) < 200


def test_a_list_without_a_total_is_read_to_its_end() -> None:
    class Silent(Helpdesk):
        def tickets(self, kind: str, since_ms: int, until_ms: int, page: int) -> tuple[int, list[Row]]:
            return 0, super().tickets(kind, since_ms, until_ms, page)[1]

    found = changed(Silent(*[NOW - HOUR] * (3 * PAGE_SIZE + 1)), NOW - 2 * HOUR, NOW)
    assert (3 * PAGE_SIZE + 1, "") == (len(found.tickets), found.incomplete)
