"""A worker of a sink to a database or a broker, in a test."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from listener.delivery.network_worker import NetworkWorker
from listener.journal import Journal
from listener.settings.secrets import Secret, SecretKind, SecretSource
from listener.sinks import TYPES
from listener.sinks.base import Retry
from listener.sinks.network import BatchLimits, NetworkConfig
from tests.journal.keeping import until
from tests.network.sending import worker_of

QUICK = Retry(max_delay=0.1, give_up_after=None)


def held(text: str) -> SecretSource:
    return SecretSource(SecretKind.INLINE, "here", Secret(text))


def config_of(kind: str, **settings: Any) -> NetworkConfig:
    """With short waits; `max_events` of a batch may be given."""
    limits = BatchLimits(max_events=settings.pop("max_events", 500), linger=0.0)
    given: dict[str, Any] = {"name": kind, "type": kind, "batch": limits, "retry": QUICK} | settings
    made = TYPES[kind].config(**given)
    assert isinstance(made, NetworkConfig)
    return made


@contextmanager
def working(journal: Journal, wanted: NetworkConfig, **settings: Any) -> Iterator[NetworkWorker]:
    worker = worker_of(journal, wanted, **settings)
    worker.start()
    try:
        yield worker
    finally:
        worker.abandon()
        assert worker.join(20)
        assert not worker.died


def drained(worker: NetworkWorker, within: float = 60.0) -> None:
    """Returns once the sink has, or has passed over, everything in the journal."""

    def has_everything() -> bool:
        return worker.state.seq >= worker._journal.last_seq and not worker.state.waiting

    try:
        until(has_everything, "it has everything", within)
    except AssertionError as e:
        raise AssertionError(f"{e}: {worker.state}") from None
