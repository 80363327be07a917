"""A worker of a network sink in a test; `config` is an http sink's."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from listener.delivery.formatting import Formatter
from listener.delivery.network_worker import NetworkWorker
from listener.journal import Journal
from listener.settings.secrets import Secret
from listener.sinks import new_network_sink
from listener.sinks.base import Retry
from listener.sinks.http import HttpConfig
from listener.sinks.network import BatchLimits, NetworkConfig
from tests.journal.keeping import keep, payload, until
from tests.samples import ticket

QUICK = Retry(max_delay=0.05, give_up_after=None)


def config(url: str, **settings: Any) -> HttpConfig:
    limits = BatchLimits(max_events=settings.pop("max_events", 1), linger=settings.pop("linger", 0.0))
    given: dict[str, Any] = {"name": "hook", "url": Secret(url), "batch": limits, "retry": QUICK} | settings
    return HttpConfig(**given)


def worker_of(journal: Journal, wanted: NetworkConfig, **settings: Any) -> NetworkWorker:
    cursor = journal.attach([(wanted.name, True)])[wanted.name]
    given: dict[str, Any] = {"formatter": Formatter(share=False), "abandon": threading.Event()} | settings
    return NetworkWorker(wanted, new_network_sink(wanted), journal, cursor, **given)


@contextmanager
def sending(journal: Journal, wanted: NetworkConfig, **settings: Any) -> Iterator[NetworkWorker]:
    """A worker that runs until the end of the block."""
    worker = worker_of(journal, wanted, **settings)
    worker.start()
    try:
        yield worker
    finally:
        worker.abandon()
        assert worker.join(20)
        assert not worker.died


def fill(journal: Journal, count: int, tickets: int, first: int = 0) -> list[str]:
    """Events e0, e1, …, spread over tickets t0, t1, …"""
    ids = [f"e{n}" for n in range(first, first + count)]
    payloads = [payload(one, ticket=ticket(ticket_id=f"t{n % tickets}")) for n, one in enumerate(ids, first)]
    for start in range(0, count, 1000):
        assert {200} == set(keep(journal, *payloads[start : start + 1000]))
    return ids


def drained(worker: NetworkWorker, within: float = 60.0) -> None:
    """Returns once the sink has, or has passed over, everything in the journal."""
    try:
        until(
            lambda: worker.state.seq >= worker.journal.last_seq and not worker.state.waiting,
            "it has everything",
            within,
        )
    except AssertionError as e:
        raise AssertionError(f"{e}: {worker.state}") from None


def in_order(got: list[str], tickets: int) -> bool:
    """Whether the events of each ticket came one after the other."""
    last: dict[int, int] = {}
    for one in got:
        n = int(one[1:])
        if last.setdefault(n % tickets, n) > n:
            return False
        last[n % tickets] = n
    return True
