"""A browser for the whole run, and a daemon with its page for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.page.serving import Served, served


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Served]:
    """A daemon that serves the page."""
    with served(tmp_path) as one:
        yield one
