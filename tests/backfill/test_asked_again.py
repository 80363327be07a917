"""What the daemon asked for by itself and was refused: it is asked for again, since no person will."""

from pathlib import Path

from listener.backfill.backfiller import Backfiller
from listener.base.errors import ConfigError
from listener.feishu.meter import Meter
from listener.feishu.tickets import TicketsApi
from listener.journal import Journal, backfills
from listener.settings.config import load
from tests.daemon import environment
from tests.delivery.working import DAY
from tests.journal.keeping import opened, until


def _refused(helpdesk_id: str, token_file: str) -> TicketsApi:
    raise ConfigError("the token is refused")


def states(journal: Journal) -> list[str]:
    return [job.state for job in journal.ask(lambda connection: backfills.recent(connection, 9))]


def test_failed_jobs_of_the_daemon_become_one_and_those_of_a_person_stay(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal:
        journal.do(lambda connection: backfills.ask_unattended(connection, 5000, 6000, ""))
        journal.do(lambda connection: backfills.ask_unattended(connection, 1000, 2000, ""))
        journal.do(lambda connection: backfills.ask(connection, 1, 9000, ""))
        journal.do(lambda connection: backfills.ask_unattended(connection, 1, 9000, ""))
        for one, state in ((1, "failed"), (2, "failed"), (3, "failed"), (4, "done")):
            journal.do(lambda connection, one=one, state=state: backfills.end(connection, one, state, ""))  # type: ignore[misc]
        for _ in range(2):
            journal.do(backfills.ask_again)
        assert ["listing", "done", "failed", "failed", "failed"] == states(journal)
        job = journal.ask(backfills.next_job)
        assert job is not None
        assert (1000, 6000) == (job.since_ms, job.until_ms)


def test_it_is_at_the_start_at_a_reload_and_in_another_month(tmp_path: Path) -> None:
    clock = [1_790_000_000.0]
    settings, meter = load(None, environment(tmp_path)), Meter(clock=lambda: clock[0])
    with opened(tmp_path / "j.db") as journal:
        journal.do(lambda connection: backfills.ask_unattended(connection, 1000, 2000, ""))
        journal.do(lambda connection: backfills.end(connection, 1, "failed", ""))
        backfiller = Backfiller(settings, journal, meter, _refused, lambda: False)
        backfiller.start()
        until(lambda: ["failed"] * 2 == states(journal), "the start's")
        backfiller.reload()
        until(lambda: ["failed"] * 3 == states(journal), "the reload's")
        clock[0] += 31 * DAY
        backfiller.wake()
        until(lambda: ["failed"] * 4 == states(journal), "the month's")
        backfiller.stop()
