"""Tells when nobody listened, what of it was fetched, and which calls were made, as the journal has it. Pure."""

from datetime import datetime

from listener.journal.inspect import JournalState
from listener.observe import health
from listener.observe.health import moment

FORGIVEN_MS = 7 * 3_600_000  # the platform pushes again for about so long
EDGE_MS = 60_000


def gaps(seen: JournalState) -> tuple[health.GapStatus, ...]:
    """Returns the times without a connection, newest first, each with what the jobs that cover it have fetched."""
    found = []
    for gap in seen.gaps:
        covering = [
            job
            for job in seen.backfills
            if job.state == "done" and job.since_ms <= gap.from_ms + EDGE_MS and job.until_ms >= gap.to_ms - EDGE_MS
        ]
        recovered = sum(job.fresh for job in covering) if covering else None
        found.append(health.GapStatus(since=_at(gap.from_ms), until=_at(gap.to_ms), recovered=recovered))
    return tuple(found)


def backfills(seen: JournalState) -> tuple[health.BackfillStatus, ...]:
    """Returns the newest jobs, newest first."""
    return tuple(
        health.BackfillStatus(
            since=_at(job.since_ms),
            until=_at(job.until_ms),
            state=job.state,
            tickets=job.tickets,
            tickets_done=job.tickets_done,
            messages=job.messages,
            new=job.fresh,
            calls=job.calls,
            note=job.note,
        )
        for job in seen.backfills
    )


def calls(seen: JournalState, limit: int | None) -> health.CallsStatus:
    """Returns this month's calls."""
    return health.CallsStatus(by_api=seen.calls, total=sum(seen.calls.values()), limit=limit, halted=seen.halted)


def report(gap: health.GapStatus) -> str:
    """Returns a line of text about a gap."""
    times = f"nobody listened from {health.clock(gap.since)} to {health.clock(gap.until)}"
    if gap.recovered is not None:
        return f"{times}: {gap.recovered} messages of it were fetched; of deleted tickets nothing can be known"
    if (gap.until - gap.since).total_seconds() * 1000 < FORGIVEN_MS:
        return f"{times}: the platform pushes again for about 7 h; whether all of it came can't be known"
    since = health.clock(gap.since)
    return f"{times}: what the platform gave up after 7 h is not known: helpdesk-listen backfill --since {since}"


def _at(ms: int) -> datetime:
    return moment(ms / 1000)
