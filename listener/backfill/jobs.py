"""Carries out a backfill job: lists tickets, fetches their messages, keeps them, notes its progress.

It may be killed anywhere. Whoever has the journal does it: the daemon in a thread beside everything else, or the
command where none runs.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from listener.backfill import listing
from listener.backfill.api_messages import Row, created_ms, in_order, payload
from listener.base.clock import now_ms
from listener.base.errors import ConfigError, JournalError, ListenError
from listener.base.logs import get_logger
from listener.event import TICKET_MESSAGE
from listener.feishu.answers import Gone
from listener.feishu.meter import CallsHalted, Meter
from listener.feishu.tickets import TicketsApi, has_more
from listener.journal import Journal, Pending, backfills, calls, messages
from listener.journal.backfills import Backfill
from listener.journal.model import KEPT

PAUSES = (1.0, 5.0, 30.0, 120.0)  # seconds before another attempt, while the platform is down; the last repeats
TICKET_ATTEMPTS = 8  # at one ticket, while others pass
MAX_PAGES = 50  # of one ticket's messages: 10,000 of them
SLICE = 500  # events indexed in one transaction: acks wait for it
BATCH = 200  # messages kept in one commit
DAY_MS = 86_400_000
INCOMPLETE = "incomplete:"  # with the job's id the name of a mark: why messages may be missing
log = get_logger(__name__)


class Stopped(Exception):
    """The process is to end; the next one does what is left of the job."""


class Failures:
    """Counts the failures of tickets, and tells one that fails by itself from a platform that is down."""

    def __init__(self) -> None:
        self._tries: dict[str, int] = {}
        self._alone: set[str] = set()  # tickets that have failed before another one passed
        self.passes = 0

    def failed(self, ticket_id: str) -> None:
        """Notes that this ticket's messages could not be had."""
        self._tries[ticket_id] = self._tries.get(ticket_id, 0) + 1

    def passed(self, ticket_id: str) -> None:
        """Notes that this ticket is done."""
        self.passes += 1
        self._tries.pop(ticket_id, None)
        self._alone.update(self._tries)

    def are_its_own(self, ticket_id: str, tries: int) -> bool:
        """Returns whether the ticket has failed that often, and another one passed meanwhile."""
        return ticket_id in self._alone and self._tries[ticket_id] >= tries

    def later(self) -> list[str]:
        """Returns the tickets that have failed, the one with most tries first: so it is the first to be left out."""
        return sorted(self._tries, key=self._tries.__getitem__, reverse=True)


@dataclass
class Jobs:
    """Carries out the journal's backfill jobs, one after the other, in a thread that may block.

    `api_of` makes a helpdesk's API of its id and token file; `pause` waits, or raises Stopped. `attempts` bounds the
    tries against a platform that is down; None means no bound.
    """

    journal: Journal
    app_id: str
    api_of: Callable[[str, str], TicketsApi]
    meter: Meter
    pause: Callable[[float], None]
    attempts: int | None = None
    _failures: Failures = field(default_factory=Failures)

    def run(self, job: Backfill) -> None:
        """Works until the job is done or can't be. Raises Stopped, JournalError, or what held it up for too long."""
        self._failures = Failures()
        tries = passes = 0
        while True:
            before = self.meter.total()
            try:
                note = self._once(job)
            except (CallsHalted, ConfigError) as e:
                self._count(job, before, str(e))
                self._end(job, "failed", f"{e}; {e.hint}" if e.hint else str(e))
                raise
            except JournalError:
                raise
            except ListenError as e:
                tries = tries + 1 if passes == self._failures.passes else 1
                passes = self._failures.passes
                self._count(job, before, str(e))
                if self.attempts is not None and tries >= self.attempts:
                    raise
                log.warning("a backfill is held up; it goes on by itself", because=str(e))
                self.pause(PAUSES[min(tries, len(PAUSES)) - 1])
            else:
                self._count(job, before, note)
                why = self._incomplete(job)
                self._end(job, "incomplete" if why else "done", f"{note}; {why}" if why else note)
                return

    def _once(self, job: Backfill) -> str:
        """Does all that is left of the job; returns what it learnt of the API on the way."""
        self._index()
        current = self.journal.ask(lambda connection: backfills.job(connection, job.id)) or job
        if current.state == "listing":
            found = listing.changed(self._api(job), job.since_ms, now_ms(), lambda: self.pause(0))
            self.journal.do(lambda connection: _keep_listing(connection, job, found))
            self.journal.do(lambda connection: calls.unmark(connection, calls.MESSAGE_UNIT))  # found out once a job
        skipped = 0
        while ticket := self._next_ticket(job):
            self.pause(0)
            skipped += not self._try(job, *ticket)
        gone = f"; {skipped} tickets were deleted meanwhile" if skipped else ""
        return self._unit_found() + gone

    def _api(self, job: Backfill) -> TicketsApi:
        """Returns the API with the credentials of this moment: a token may be rotated while a job is under way."""
        return self.api_of(job.helpdesk_id, job.token_file)

    def _next_ticket(self, job: Backfill) -> tuple[str, bytes] | None:
        later = self._failures.later()
        return self.journal.ask(lambda connection: backfills.next_ticket(connection, job.id, later))

    def _try(self, job: Backfill, ticket_id: str, body: bytes) -> bool:
        """Does what `_ticket` does, or leaves out a ticket that keeps failing while others pass."""
        try:
            is_there = self._ticket(job, ticket_id, body)
        except (CallsHalted, ConfigError, JournalError):
            raise
        except ListenError as e:
            self._failures.failed(ticket_id)
            if not self._failures.are_its_own(ticket_id, self.attempts or TICKET_ATTEMPTS):
                raise
            self._note_incomplete(job, f"ticket {ticket_id} can't be had: {e}")
            self.journal.do(lambda connection: backfills.ticket_done(connection, job.id, ticket_id, 0, 0))
            is_there = True
        self._failures.passed(ticket_id)
        return is_there

    def _ticket(self, job: Backfill, ticket_id: str, body: bytes) -> bool:
        """Keeps a ticket's messages of the window; returns False where the ticket is gone."""
        try:
            found = self._messages(self._api(job), job, ticket_id)
        except Gone:
            self.journal.do(lambda connection: backfills.ticket_done(connection, job.id, ticket_id, 0, 0))
            return False
        wanted = [one for one in in_order(found) if job.since_ms <= (created_ms(one) or job.since_ms) < job.until_ms]
        ticket: Row = msgspec.json.decode(body)
        fresh = 0
        for start in range(0, len(wanted), BATCH):
            fresh += self._keep(wanted[start : start + BATCH], ticket)
        self.journal.do(lambda c: backfills.ticket_done(c, job.id, ticket_id, len(wanted), fresh))
        return True

    def _keep(self, wanted: list[Row], ticket: Row) -> int:
        """Puts messages into the journal and returns how many were new; waits while the journal is full."""
        left = [payload(message, ticket, self.app_id) for message in wanted]
        fresh = tries = 0
        while left:
            fetched = [Pending(body, event_id, TICKET_MESSAGE) for event_id, body in left]
            self.journal.keep(fetched)
            fresh += sum(one.code == KEPT and not one.duplicate for one in fetched)
            left = [(one.event_id, one.payload) for one in fetched if one.code != KEPT]
            if left:
                tries += 1
                if self.attempts is not None and tries >= self.attempts:
                    raise JournalError("the journal takes nothing now", hint="helpdesk-listen status says why")
                self.pause(PAUSES[1])
        return fresh

    def _messages(self, api: TicketsApi, job: Backfill, ticket_id: str) -> list[Row]:
        """Returns a ticket's messages of the window, asked for in the unit of time that the platform understands."""
        for unit in self._units():
            bounds = ((job.since_ms - 1000) // unit, job.until_ms // unit + 1)
            if found := self._pages(api, job, ticket_id, bounds):
                if self._unit is None:
                    self.journal.do(lambda connection: calls.mark(connection, calls.MESSAGE_UNIT, unit))  # noqa: B023 done at once
                return found
        return []

    def _pages(self, api: TicketsApi, job: Backfill, ticket_id: str, bounds: tuple[int, int]) -> list[Row]:
        total, rows = api.messages(ticket_id, bounds, 1)
        page, found, seen = 1, list(rows), {str(row.get("id")) for row in rows}
        while has_more(total, page, rows):
            if (page := page + 1) > MAX_PAGES:
                count = max(total, len(found))
                self._note_incomplete(job, f"ticket {ticket_id} has {count} messages or more: ask for a shorter time")
                break
            self.pause(0)
            rows = api.messages(ticket_id, bounds, page)[1]
            fresh = [row for row in rows if str(row.get("id")) not in seen]
            if not fresh:
                if rows:
                    self._note_incomplete(job, f"of ticket {ticket_id} {len(found)} of {total} messages were listed")
                break  # a page that repeats, or is empty
            seen |= {str(row.get("id")) for row in fresh}
            found += fresh
        return found

    def _note_incomplete(self, job: Backfill, why: str) -> None:
        """Keeps why messages may be missing, until the job's end, however often it is begun anew."""
        self.journal.do(lambda connection: calls.mark(connection, f"{INCOMPLETE}{job.id}", why))

    def _incomplete(self, job: Backfill) -> str:
        return str(self.journal.ask(lambda connection: calls.read(connection, f"{INCOMPLETE}{job.id}")) or "")

    @property
    def _unit(self) -> int | None:
        """Returns how many milliseconds a unit of a message query's times has, once that was found out."""
        unit = self.journal.ask(lambda connection: calls.read(connection, calls.MESSAGE_UNIT))
        return int(unit) if unit is not None else None

    def _units(self) -> tuple[int, ...]:
        """Returns the units to try: both, or the one that was seen to work, since the other one finds nothing."""
        return (1000, 1) if self._unit is None else (self._unit,)

    def _unit_found(self) -> str:
        unit = {1000: "seconds", 1: "milliseconds"}.get(self._unit or 0)
        return f"the platform takes the times of messages in {unit}" if unit else "no message was found"

    def _index(self) -> None:
        """Brings the index of message ids up to the journal's newest event, without holding up acks."""
        keep_ms = self.journal.retention.keep_ms
        self.journal.do(lambda connection: messages.forget(connection, now_ms() - keep_ms - 2 * DAY_MS))
        while self.journal.do(lambda connection: messages.index(connection, SLICE)):
            self.pause(0)

    def _count(self, job: Backfill, before: int, note: str) -> None:
        made = max(0, self.meter.total() - before)
        self.journal.do(lambda connection: backfills.counted(connection, job.id, made, note))

    def _end(self, job: Backfill, state: str, note: str) -> None:
        self.journal.do(lambda connection: backfills.end(connection, job.id, state, note))
        self.journal.do(lambda connection: calls.unmark(connection, f"{INCOMPLETE}{job.id}"))
        ended = self.journal.ask(lambda connection: backfills.job(connection, job.id)) or job
        tell = log.info if state == "done" else log.error
        tell(
            f"backfill {state}",
            tickets=ended.tickets_done,
            messages=ended.messages,
            new=ended.fresh,
            calls=ended.calls,
            note=note,
        )


def _keep_listing(connection: Any, job: Backfill, found: listing.Listing) -> None:
    """Keeps the tickets that were found, and why some may be missing."""
    rows = [(ticket_id, msgspec.json.encode(ticket)) for ticket_id, ticket in found.tickets.items()]
    backfills.listed(connection, job.id, rows)
    if found.incomplete:
        calls.mark(connection, f"{INCOMPLETE}{job.id}", found.incomplete)
