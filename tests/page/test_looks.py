"""How the page looks: in both languages and themes, on narrow and wide screens, to keyboards and screen readers."""

from typing import Any

import pytest

pytest.importorskip("playwright", reason="playwright is not installed")

from playwright.sync_api import Browser, Page, expect

from tests.page.browser import CHROMIUM, tab_of
from tests.page.serving import Served

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(CHROMIUM is None, reason="chromium (Debian: chromium) is missing"),
]
VIEWS = ("now", "tickets", "letters", "numbers")
UNKNOWN_WORDS = r"""async (names) => {
    const sources = await Promise.all(names.map((name) => fetch(`/${name}.js`).then((answer) => answer.text())));
    const { t } = await import("/words.js");
    const used = sources.flatMap((text) => [...text.matchAll(/\bt\("([a-z_0-9.]+)"/g)].map((found) => found[1]));
    return [...new Set(used)].filter((key) => t(key) === key && key.includes("_"));
}"""


def test_chinese_and_english(page: Served, browser: Browser) -> None:
    page.push("你好")
    english = ("Listening", "Conversations")
    for language, (title, tickets) in {"zh-CN": ("正在监听", "对话"), "en-GB": english, "de-DE": english}.items():
        with tab_of(browser, language=language) as context:
            tab = context.new_page()
            tab.goto(page.url)
            expect(tab.locator("h1")).to_have_text(title)
            expect(tab.locator("nav")).to_contain_text(tickets)
            assert language[:2].replace("de", "en") == str(tab.locator("html").get_attribute("lang"))[:2]


def test_every_word_is_there_in_both_languages(page: Served, tab: Page) -> None:
    tab.goto(page.url)
    names = ["now", "tickets", "event", "letters", "numbers", "page", "charts", "api"]
    keys: list[str] = tab.evaluate(UNKNOWN_WORDS, names)
    assert [] == keys


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1600])
def test_each_view_fits_and_is_accessible(page: Served, browser: Browser, theme: str, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    _lively(page)
    with tab_of(browser, theme=theme, width=width) as context:
        tab = context.new_page()
        tab.goto(page.unlocked)
        expect(tab.locator("#link")).to_have_text("live")
        for view in (*VIEWS, "tickets/7000000000000000001", "event/1"):
            tab.goto(f"{page.url}/#/{view}")
            tab.wait_for_selector("h1, h2", state="attached")
            tab.wait_for_timeout(700)
            assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{view} scrolls sideways"
            found = axe.Axe().run(tab).response["violations"]
            assert [] == [_told(one) for one in found], view


def _told(violation: dict[str, Any]) -> str:
    return f"{violation['impact']}: {violation['id']}: {[node['html'][:120] for node in violation['nodes'][:3]]}"


def _lively(page: Served) -> None:
    """Something of everything."""
    page.hook.refused = [b"refused"]
    page.push("refused: " + "long " * 200)
    page.push("x" * 3000, "7000000000000000002", sender=3, status=52)
    page.push("好的", "7000000000000000001", sender=1, status=50)
    page.daemon.until(lambda: page.daemon.said("dead letter:"), "a dead letter")


def test_dark_is_dark(page: Served, browser: Browser) -> None:
    colours = []
    for theme in ("light", "dark"):
        with tab_of(browser, theme=theme) as context:
            tab = context.new_page()
            tab.goto(page.url)
            colours.append(tab.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert ["rgb(245, 246, 248)", "rgb(14, 18, 23)"] == colours


def test_the_keyboard_reaches_everything(page: Served, tab: Page) -> None:
    page.push("first", "7000000000000000001")
    page.push("second", "7000000000000000002")
    tab.goto(f"{page.url}/#/tickets")
    expect(tab.locator(".ticket")).to_have_count(2)
    tab.keyboard.press("/")
    expect(tab.locator("#search")).to_be_focused()
    tab.keyboard.press("Tab")
    expect(tab.locator(".ticket").first).to_be_focused()
    tab.keyboard.press("ArrowDown")
    expect(tab.locator(".ticket").nth(1)).to_be_focused()
    tab.keyboard.press("Enter")
    expect(tab.locator(".bubble")).to_have_text("first")
