"""What strangers can't do to the page: by what they write, from another page, under another name."""

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="playwright is not installed")

from playwright.sync_api import Browser, Page, expect

from tests.page.browser import CHROMIUM, tab_of
from tests.page.serving import Served, served

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(CHROMIUM is None, reason="chromium (Debian: chromium) is missing"),
]
VIEWS = ("now", "tickets", "letters", "numbers")
EMOJI = "👩‍👩‍👧‍👦 🏳️‍🌈 é \u200f\u200bz"
HOSTILE = {
    "<script>window.hacked=1</script><img src=x onerror='window.hacked=1'>": None,
    "javascript:window.hacked=1": None,
    "left \u202eright\u202c and \u2066isolated\u2069": "left ⟨U+202E⟩right⟨U+202C⟩ and ⟨U+2066⟩isolated⟨U+2069⟩",
    "\x1b[31mred\x1b[0m \x07bell \x9b2J": "␛[31mred␛[0m ␇bell ⟨U+009B⟩2J",
    EMOJI: None,
}
FOLLOWS = """new Promise((told) => {
    const source = new EventSource(%r, {withCredentials: true});
    source.onmessage = source.onopen = () => told("read");
    source.onerror = () => told("failed");
})"""


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_text(page: Served, tab: Page, text: str) -> None:
    page.push(text)
    tab.goto(page.conversation())
    expect(tab.locator(".bubble")).to_have_count(1)
    assert (HOSTILE[text] or text) == tab.locator(".bubble").text_content()
    for view in VIEWS:
        tab.goto(f"{page.url}/#/{view}")
        tab.wait_for_selector("h1")
    assert tab.evaluate("window.hacked") is None
    assert 0 == tab.locator("main script, main img, main a[href^=javascript]").count()


def test_a_page_of_another_origin_can_neither_read_nor_act(page: Served, browser: Browser, tmp_path: Path) -> None:
    page.hook.refused = [b"refused"]
    page.push("refused")
    page.daemon.until(lambda: page.daemon.said("dead letter:"), "a dead letter")
    with tab_of(browser) as context, served(_made(tmp_path / "other")) as other:
        own = context.new_page()
        own.goto(page.unlocked)
        expect(own.get_by_role("button", name="Lock buttons")).to_be_visible()
        tab = context.new_page()
        tab.goto(f"{other.url}/healthz")  # a page of another port of this machine, which gets our cookie too
        for attempt in _attempts(page.url):
            assert "failed" == tab.evaluate(attempt), attempt
        own.bring_to_front()
        own.get_by_role("link", name="Not delivered").click()
        expect(own.locator(".row")).to_have_count(1)


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory


def _attempts(url: str) -> Iterator[str]:
    caught = ".then(r => r.ok && r.type !== 'opaque' ? 'read' : 'failed').catch(() => 'failed')"
    yield f"fetch('{url}/api/messages'){caught}"
    yield f"fetch('{url}/api/messages', {{credentials: 'include'}}){caught}"
    yield f"fetch('{url}/api/messages', {{mode: 'no-cors', credentials: 'include'}}){caught}"
    body = "body: JSON.stringify({sink: 'crm'})"
    yield f"fetch('{url}/api/discard', {{method: 'POST', mode: 'no-cors', credentials: 'include', {body}}}){caught}"
    json_body = "headers: {'Content-Type': 'application/json'}, " + body
    yield f"fetch('{url}/api/discard', {{method: 'POST', credentials: 'include', {json_body}}}){caught}"
    yield FOLLOWS % f"{url}/api/stream"


def test_a_name_that_leads_here_is_not_ours(page: Served, browser: Browser) -> None:
    """DNS rebinding: the browser asks 127.0.0.1 under a stranger's name."""
    with tab_of(browser) as context:
        tab = context.new_page()
        answer = tab.goto(f"http://127.0.0.1.evil.test:{page.port}/api/messages", wait_until="commit")
        assert answer is not None
        assert 421 == answer.status
