"""Makes the README's pictures of the page: `python -m tests.page.pictures`, into .github/pictures.

They look as they should with Debian's fonts-inter and fonts-noto-cjk. The week that they show is made up: a
conversation of the stand-in, spread over the hours of a helpdesk.
"""

import json
import random
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from listener.event import identify
from listener.journal import Journal, Pending
from listener.simulator import conversation
from tests.page.browser import running, tab_of
from tests.page.serving import Served, served

PICTURES = Path(__file__).parents[2] / ".github" / "pictures"
DAY, DAYS, EACH = 86_400_000, 6, 180  # milliseconds; messages of a day
DESK: dict[str, Any] = {"width": 1280, "height": 800, "device_scale_factor": 1.5}
PHONE: dict[str, Any] = {"width": 390, "height": 844, "device_scale_factor": 2, "has_touch": True}
LANGUAGES = {"en": "en-US", "zh": "zh-CN"}


def main() -> None:
    """Writes all of them."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        _write_history(home / "state" / "helpdesk.db")
        with served(home) as page, running() as browser:
            _go_on(page)
            for short, language in LANGUAGES.items():
                _take(page, browser, language, short)


def _write_history(path: Path) -> None:
    """A week's messages, as if they had come in time."""
    path.parent.mkdir()
    journal = Journal(path, keep_s=30 * 86_400)
    journal.start()
    times = iter(_times())
    now = [next(times)]
    for at, event in zip(times, conversation(11, lambda: now[0]), strict=False):
        payload = json.dumps(event, ensure_ascii=False).encode()
        pending = Pending(payload, *identify(payload))
        pending.received_ms = now[0] + 40
        journal.append(pending)
        now[0] = at
    journal.close()


def _times() -> list[int]:
    """Moments of the last days up to now, most of them in office hours."""
    dice, now = random.Random(5), int(time.time() * 1000)
    hours = [dice.gauss(10.5, 1.6) if dice.random() < 0.55 else dice.gauss(15.5, 1.9) for _ in range(DAYS * EACH)]
    past = [now - (n % DAYS + 1) * DAY + int((hour - 12) * 3_600_000) for n, hour in enumerate(hours)]
    recent = [now - int(dice.triangular(0, 3_600_000, 600_000)) for _ in range(EACH // 2)]
    return sorted(at for at in past + recent if at < now)


def _go_on(page: Served) -> None:
    """Some messages that come while one looks."""
    for _, event in zip(range(14), conversation(3), strict=False):
        page.platform.call(page.platform.call(page.platform.platform.push, event).acked)


def _take(page: Served, browser: Browser, language: str, short: str) -> None:
    for theme in ("light", "dark"):
        with tab_of(browser, language=language, theme=theme, **DESK) as context:
            tab = context.new_page()
            _show(tab, page, "now")
            tab.screenshot(path=PICTURES / f"now-{theme}-{short}.png")
            _show(tab, page, "tickets")
            _open_longest(tab)
            tab.screenshot(path=PICTURES / f"conversations-{theme}-{short}.png")
    with tab_of(browser, language=language, **PHONE) as context:
        tab = context.new_page()
        _show(tab, page, "tickets")
        _open_longest(tab)
        tab.screenshot(path=PICTURES / f"phone-{short}.png")


def _show(tab: Page, page: Served, view: str) -> None:
    tab.goto(f"{page.url}/#/{view}")
    tab.wait_for_selector(".ticket" if view == "tickets" else ".sink")
    tab.wait_for_timeout(1500)  # the figures come after the first look


def _open_longest(tab: Page) -> None:
    tab.locator(".ticket").nth(1).click()
    tab.wait_for_selector(".bubble")
    tab.wait_for_timeout(800)


if __name__ == "__main__":
    main()
