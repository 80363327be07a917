"""A real browser for the page: Debian's Chromium, driven by Playwright, with a profile of its own and loopback only."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

CHROMIUM = shutil.which("chromium")
PATIENCE = 30_000  # milliseconds for what a test waits for, on a busy machine
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP *.evil.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]


@contextmanager
def running() -> Iterator[Browser]:
    """A browser; it is closed on leaving."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def tab_of(
    browser: Browser,
    *,
    language: str = "en-US",
    theme: Any = "light",
    width: int = 1280,
    height: int = 800,
    **more: Any,
) -> Iterator[BrowserContext]:
    """A profile of its own: language, theme and size as a reader has them."""
    context = browser.new_context(
        locale=language, color_scheme=theme, viewport={"width": width, "height": height}, **more
    )
    context.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    try:
        yield context
    finally:
        context.close()
