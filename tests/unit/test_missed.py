"""What can be said of the times when nobody listened, and of the calls that were made."""

from listener.journal.backfills import Backfill, Gap
from listener.journal.inspect import JournalState
from listener.observe import missed

HOUR = 3_600_000
T0 = 1_790_000_000_000


def look(*gaps: Gap, jobs: tuple[Backfill, ...] = ()) -> JournalState:
    return JournalState(
        used_bytes=0,
        file_bytes=0,
        disk_free_bytes=0,
        last_seq=0,
        last_event_ms=None,
        unreadable=0,
        unreadable_left=0,
        gaps=gaps,
        backfills=jobs,
        calls={"ticket": 3, "token": 1},
    )


def job(since: int, until: int, state: str = "done") -> Backfill:
    return Backfill(1, "h", "", since, until, until, state, 9, 9, 50, 41, 12, "", until)


def test_a_gap_that_a_job_covers_is_recovered() -> None:
    gap = Gap(T0, T0 + 9 * HOUR)
    (found,) = missed.gaps(look(gap, jobs=(job(T0 - HOUR, T0 + 9 * HOUR),)))
    assert 41 == found.recovered
    assert "41 messages of it were fetched" in missed.report(found)


def test_one_that_is_covered_in_part_or_by_a_job_that_failed_is_not() -> None:
    gap = Gap(T0, T0 + 9 * HOUR)
    jobs = (job(T0 + HOUR, T0 + 9 * HOUR), job(T0 - HOUR, T0 + 9 * HOUR, "failed"))
    (found,) = missed.gaps(look(gap, jobs=jobs))
    assert found.recovered is None
    assert "helpdesk-listen backfill --since 2026-" in missed.report(found)


def test_a_short_one_is_left_to_the_platform() -> None:
    (found,) = missed.gaps(look(Gap(T0, T0 + HOUR)))
    assert "pushes again for about 7 h" in missed.report(found)


def test_calls_are_added_up() -> None:
    assert (4, 100) == (missed.calls(look(), 100).total, missed.calls(look(), 100).limit)
