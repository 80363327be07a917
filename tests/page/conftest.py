"""A browser for each module's tests, and a daemon with its page for each test."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.page.serving import Served, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Served]:
    """A daemon that serves the page."""
    with served(tmp_path) as one:
        yield one


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """Chromium. Its library has a loop of its own running meanwhile, so it ends with the module."""
    from tests.page.browser import running

    with running() as one:
        yield one


@pytest.fixture
def tab(browser: "Browser") -> "Iterator[Page]":
    """A tab in English; an error of the page's scripts fails the test."""
    from tests.page.browser import tab_of

    with tab_of(browser) as context:
        tab = context.new_page()
        errors: list[str] = []
        tab.on("pageerror", lambda error: errors.append(str(error)))
        yield tab
        assert [] == errors
