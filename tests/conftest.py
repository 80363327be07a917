"""For every test."""

import signal
from collections.abc import Iterator

import hypothesis
import pytest
import structlog

from tests import loopback

loopback.guard()

# A shell that runs this in the background has SIGINT ignored, and so would all that tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How fast examples are made says more of the machine than of the code.
hypothesis.settings.register_profile("busy", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("busy")


@pytest.fixture(autouse=True)
def _no_traffic_beyond_loopback() -> Iterator[None]:
    """A test that connects to, or looks up, anything else fails, even where the code under test bears the refusal."""
    loopback.attempts.clear()
    yield
    assert [] == loopback.attempts


@pytest.fixture(autouse=True)
def _logs_as_nobody_configured_them() -> Iterator[None]:
    """A command that ran inside a test's process must not decide where the next test's log goes."""
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()
