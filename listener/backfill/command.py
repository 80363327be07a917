"""Backfills for the command line: the daemon carries a job out where one runs, else this process does."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from listener.backfill import listing
from listener.backfill.budget import Keeper, keep_calls, restored
from listener.backfill.jobs import Jobs
from listener.base.clock import now_ms
from listener.feishu.http_api import Api, Helpdesk, helpdesk_of
from listener.feishu.meter import Meter, month_of
from listener.feishu.tickets import PAGE_SIZE, TicketsApi
from listener.feishu.transport import network_of
from listener.journal import Journal, backfills, calls, redelivery
from listener.journal.backfills import Backfill
from listener.journal.reading import reading
from listener.settings.config import FeishuSettings, Settings
from listener.settings.secrets import SecretKind, SecretSource

ATTEMPTS = 4  # against a platform that is down: a person waits
LOOK = 0.5  # seconds
ApiOf = Callable[[str, str], TicketsApi]


def api_maker(feishu: FeishuSettings, api: Api) -> ApiOf:
    """Returns a function that makes a helpdesk's API of its id and token file; "" means the configured helpdesk."""

    def make(helpdesk_id: str, token_file: str) -> TicketsApi:
        if token_file:
            token = SecretSource(SecretKind.FILE, token_file).read()
            return TicketsApi(api, Helpdesk(helpdesk_id, token))
        return TicketsApi(api, helpdesk_of(feishu))

    return make


def count(settings: Settings, api: TicketsApi, since_ms: int) -> tuple[int, int, str]:
    """Counts the tickets that changed since then, and changes nothing.

    Returns (how many they are, the least number of calls that fetching their messages takes, why some may be missing or
    "").
    """
    found = listing.changed(api, since_ms, now_ms())
    tickets = len(found.tickets)
    keep_calls(settings.journal.path, api.api.meter)
    return tickets, tickets + 2 * (1 + tickets // PAGE_SIZE), found.incomplete


def calls_so_far(journal: Path) -> tuple[dict[str, int], str]:
    """Returns (this month's calls by API, why there are no more, or "")."""
    if not journal.exists():
        return {}, ""
    with reading(journal) as connection:
        return calls.load(connection, month_of(time.time()))


def place(path: Path, job: Callable[[Any], int]) -> int:
    """Writes a job beside the daemon, which takes it up within seconds; returns its id. Raises JournalError."""
    placed: list[int] = []
    redelivery.beside_daemon(path, lambda connection: placed.append(job(connection)))
    return placed[0]


def progress(path: Path, one: int) -> Iterator[Backfill]:
    """Yields the job as it is, every LOOK seconds, until it has ended. Raises JournalError."""
    while True:
        with reading(path) as connection:
            job = backfills.job(connection, one)
        if job is None:
            return
        yield job
        if job.ended_ms is not None:
            return
        time.sleep(LOOK)


def carry_out(settings: Settings, journal: Journal, told: Callable[[Backfill], None]) -> None:
    """Does all jobs of the journal in this process. Raises ListenError."""
    feishu = settings.feishu
    meter = restored(Meter(feishu.max_calls_per_month), journal)
    api, keeper = Api(feishu, network_of(feishu), meter=meter), Keeper(meter, journal)
    next_tell = 0.0

    def pause(seconds: float) -> None:
        nonlocal next_tell
        keeper.keep()
        if time.monotonic() >= next_tell and (job := journal.ask(backfills.next_job)):
            next_tell = time.monotonic() + LOOK
            told(job)
        time.sleep(seconds)

    jobs = Jobs(journal, feishu.app_id, api_maker(feishu, api), meter, pause, ATTEMPTS)
    try:
        while job := journal.ask(backfills.next_job):
            jobs.run(job)
    finally:
        keeper.keep()
        journal.flush()
