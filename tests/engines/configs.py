"""The settings of a sink to a database or a broker, in a test."""

from typing import Any

from listener.settings.secrets import Secret, SecretKind, SecretSource
from listener.sinks import TYPES
from listener.sinks.base import Retry
from listener.sinks.network import BatchLimits, NetworkConfig

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
