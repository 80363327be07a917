"""Counts the journal's last days: tickets by status, messages by hour and sender, first response times. Pure."""

from collections import Counter, OrderedDict

import msgspec

from listener.observe.page.summary import Summary

TICKETS = 20_000  # the ones with the newest messages
HOURS = 24 * 8
HOUR_MS = 3_600_000


class _TicketTimes(msgspec.Struct, gc=False):
    status: str = ""
    guest_ms: int = 0  # the first message of a guest
    response: float | None = None  # seconds


class Figures(msgspec.Struct, frozen=True):
    """What was counted, as the page gets it.

    `hours` are pairs of the hour in Unix ms and its messages by sender; `responses` are the seconds until the first
    response of each ticket that has one, sorted.
    """

    events: int
    since: int | None
    statuses: dict[str, int]
    hours: list[tuple[int, dict[str, int]]]
    responses: list[float]
    complete: bool  # whether all that is to be counted is
    cut: bool  # whether older events than `since` are kept and not counted


class Numbers:
    """Counts events, which are added oldest first; TICKETS and HOURS bound its memory."""

    def __init__(self) -> None:
        self.seq = 0  # of the newest event in it
        self.cut = False  # whether older events are not counted
        self._events = 0
        self._since: int | None = None
        self._tickets: OrderedDict[str, _TicketTimes] = OrderedDict()
        self._hours: OrderedDict[int, Counter[str]] = OrderedDict()

    def add(self, one: Summary) -> None:
        """Counts an event."""
        self.seq = one.seq
        self._events += 1
        self._since = one.at if self._since is None else self._since
        if one.sender:
            hour = one.at - one.at % HOUR_MS
            self._hours.setdefault(hour, Counter())[one.sender] += 1
            while len(self._hours) > HOURS:
                self._hours.popitem(last=False)
        if one.ticket:
            self._add_to_ticket(one)

    def _add_to_ticket(self, one: Summary) -> None:
        ticket = self._tickets.setdefault(one.ticket, _TicketTimes())
        self._tickets.move_to_end(one.ticket)
        ticket.status = one.status or ticket.status
        at = one.created or one.at
        if one.sender == "guest" and not ticket.guest_ms:
            ticket.guest_ms = at
        if one.first_response is not None:
            ticket.response = one.first_response
        elif one.sender == "agent" and ticket.guest_ms and ticket.response is None:
            ticket.response = max(0.0, (at - ticket.guest_ms) / 1000)
        while len(self._tickets) > TICKETS:
            self._tickets.popitem(last=False)

    def figures(self, *, complete: bool) -> Figures:
        """Returns what was counted so far."""
        tickets = self._tickets.values()
        return Figures(
            events=self._events,
            since=self._since,
            statuses=dict(Counter(ticket.status or "unknown" for ticket in tickets)),
            hours=[(hour, dict(counts)) for hour, counts in sorted(self._hours.items())],
            responses=sorted(ticket.response for ticket in tickets if ticket.response is not None),
            complete=complete,
            cut=self.cut,
        )
