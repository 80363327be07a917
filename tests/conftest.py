"""For every test."""

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def _logs_as_nobody_configured_them() -> Iterator[None]:
    """A command that ran inside a test's process must not decide where the next test's log goes."""
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()
