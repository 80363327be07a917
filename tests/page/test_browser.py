"""The page in a real browser: what a reader sees, in both languages and themes, and what a stranger can't do."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright", reason="playwright is not installed")

from playwright.sync_api import Browser, Page, expect

from tests.page.browser import CHROMIUM, running, tab_of
from tests.page.serving import TOKEN, Served, served

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(CHROMIUM is None, reason="chromium (Debian: chromium) is missing"),
]
VIEWS = ("now", "tickets", "letters", "numbers")
HOSTILE = (
    "<script>window.hacked=1</script><img src=x onerror='window.hacked=1'>",
    "javascript:window.hacked=1",
    "left \u202eright\u202c and \u2066isolated\u2069",
    "\x1b[31mred\x1b[0m \x07bell",
    "👩‍👩‍👧‍👦 🏳️‍🌈 é \u200f\u200bz",
)


UNKNOWN_WORDS = r"""async (names) => {
    const sources = await Promise.all(names.map((name) => fetch(`/${name}.js`).then((answer) => answer.text())));
    const { t } = await import("/words.js");
    const used = sources.flatMap((text) => [...text.matchAll(/\bt\("([a-z_0-9.]+)"/g)].map((found) => found[1]));
    return [...new Set(used)].filter((key) => t(key) === key && key.includes("_"));
}"""
FOLLOWS = """new Promise((told) => {
    const source = new EventSource(%r, {withCredentials: true});
    source.onmessage = source.onopen = () => told("read");
    source.onerror = () => told("failed");
})"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running() as one:
        yield one


@pytest.fixture
def tab(browser: Browser) -> Iterator[Page]:
    with tab_of(browser) as context:
        tab = context.new_page()
        errors: list[str] = []
        tab.on("pageerror", lambda error: errors.append(str(error)))
        yield tab
        assert [] == errors


def _conversation(page: Served, ticket: str = "7000000000000000001") -> str:
    return f"{page.url}/#/tickets/{ticket}"


def test_a_message_is_on_the_page_and_after_a_reload(page: Served, tab: Page) -> None:
    tab.goto(f"{page.url}/#/tickets")
    expect(tab.locator("#link")).to_have_text("live")
    page.push("where do I find the VPN?")
    expect(tab.locator(".ticket")).to_contain_text("where do I find the VPN?")
    tab.locator(".ticket").click()
    expect(tab.locator(".bubble")).to_have_text("where do I find the VPN?")
    page.push("look at the portal", sender=3, status=51)
    expect(tab.locator(".said.agent .bubble")).to_have_text("look at the portal")
    expect(tab.locator("#chat .turn .pill").last).to_have_text("closed by agent")
    tab.reload()
    expect(tab.locator(".bubble")).to_have_text(["where do I find the VPN?", "look at the portal"])


def test_after_a_restart_the_page_has_what_it_missed(page: Served, tab: Page) -> None:
    page.push("before")
    tab.goto(_conversation(page))
    expect(tab.locator(".bubble")).to_have_text(["before"])
    page.restart()
    page.push("while the page was away")
    expect(tab.locator(".bubble")).to_have_text(["before", "while the page was away"])
    expect(tab.locator("#link")).to_have_text("live")
    page.push("and after")
    expect(tab.locator(".bubble")).to_have_text(["before", "while the page was away", "and after"])


def test_now_says_what_status_says(page: Served, tab: Page) -> None:
    page.push("one")
    tab.goto(page.url)
    expect(tab.locator("h1")).to_have_text("Listening")
    expect(tab.locator(".sink").nth(0)).to_contain_text("archive")
    expect(tab.locator(".sink").nth(1)).to_contain_text("up to date")
    expect(tab.locator(".big")).to_have_text("1")
    page.push("two")
    expect(tab.locator(".big")).to_have_text("2")
    page.platform.call(page.platform.platform.close)
    expect(tab.locator("h1")).to_have_text("Not listening properly", timeout=30_000)


@pytest.mark.parametrize("words", ["printer", "7000000000000000077", "guest printer", "PRINTER jams"])
def test_search_finds_by_text_ticket_and_sender(page: Served, tab: Page, words: str) -> None:
    page.push("something else")
    page.push("the printer on floor 7 jams", "7000000000000000077")
    for number in range(300):
        page.push(f"filler {number}")
    tab.goto(f"{page.url}/#/tickets")
    tab.locator("#search").fill(words)
    expect(tab.locator("#found article")).to_have_count(1)
    expect(tab.locator("#found article")).to_contain_text("the printer on floor 7 jams")
    tab.locator("#search").fill("no such words")
    expect(tab.locator("#found")).to_contain_text("Nothing found")


def test_older_messages_come_as_one_scrolls(page: Served, tab: Page) -> None:
    for number in range(160):
        page.push(f"message {number:03}")
    tab.goto(_conversation(page))
    expect(tab.locator(".bubble").last).to_have_text("message 159")
    expect(tab.locator(".bubble").first).not_to_have_text("message 000")
    box = tab.locator("#chat")
    for _ in range(8):
        box.evaluate("e => e.scrollTop = 0")
        tab.wait_for_timeout(150)
    expect(tab.locator(".bubble").first).to_have_text("message 000")
    assert [f"message {n:03}" for n in range(160)] == tab.locator(".bubble").all_text_contents()


def test_a_dead_letter_is_retried_by_a_click_and_delivered(page: Served, tab: Page) -> None:
    page.hook.refused = [b"the customer is unknown"]
    page.push("the customer is unknown")
    page.daemon.until(lambda: page.daemon.said("dead letter"), "a dead letter")
    tab.goto(f"{page.url}/#/letters")
    expect(tab.locator(".row .why")).to_contain_text("HTTP 422: no customer of that name")
    expect(tab.get_by_role("button", name="Retry", exact=True)).to_be_disabled()
    _unlock(page, tab)
    page.hook.refused = []
    tab.get_by_role("button", name="Retry", exact=True).click()
    expect(tab.locator("#main")).to_contain_text("Everything is delivered")
    assert any(b"the customer is unknown" in body for body in page.hook.taken)


def _unlock(page: Served, tab: Page) -> None:

    tab.get_by_role("button", name="Unlock buttons").click()
    tab.get_by_label("Token").fill("wrong")
    tab.get_by_role("button", name="OK").click()
    expect(tab.locator("#toast")).to_have_text("That is not the token.")
    tab.get_by_role("button", name="Unlock buttons").click()
    tab.get_by_label("Token").fill(TOKEN)
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("button", name="Lock buttons")).to_be_visible()


def test_dead_letters_are_discarded_after_a_question(page: Served, tab: Page) -> None:
    page.hook.refused = [b"refused"]
    for number in range(3):
        page.push(f"refused {number}", f"700000000000000000{number}")
    page.daemon.until(lambda: page.daemon.said("dead letter:") == 3, "3 dead letters")
    tab.goto(page.unlocked)
    tab.get_by_role("link", name="Not delivered").click()
    expect(tab.locator(".row")).to_have_count(3)
    tab.get_by_role("button", name="Discard", exact=True).first.click()
    tab.get_by_role("button", name="Cancel").click()
    expect(tab.locator(".row")).to_have_count(3)
    tab.get_by_role("button", name="Discard all").click()
    tab.locator("dialog").get_by_role("button", name="Discard").click()
    expect(tab.locator("#main")).to_contain_text("Everything is delivered")


def test_an_event_shows_who_got_it_and_is_handed_on_again(page: Served, tab: Page) -> None:
    page.push("hand me on")
    page.daemon.until(lambda: page.hook.taken, "the first delivery")
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab.goto(page.unlocked)
    tab.get_by_role("link", name="Conversations").click()
    tab.locator(".ticket").click()
    tab.locator(".said .who a").click()
    expect(tab.locator(".row").nth(1)).to_contain_text("delivered")
    assert "rvaYgkND1GOiu5MM0E1rncYC6PLtF7JV" not in tab.content(), "the verification token"
    tab.locator(".row").nth(1).get_by_role("button", name="Hand on again").click()
    page.daemon.until(lambda: len(page.hook.taken) == 2, "the second delivery")
    tab.get_by_role("button", name="Copy as JSON").first.click()
    expect(tab.locator("#toast")).to_have_text("Copied")
    assert "hand me on" == json.loads(tab.evaluate("navigator.clipboard.readText()"))["event"]["text"]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_text(page: Served, tab: Page, text: str) -> None:
    page.push(text)
    tab.goto(_conversation(page))
    expect(tab.locator(".bubble")).to_have_count(1)
    shown = str(tab.locator(".bubble").text_content())
    assert not any(c in shown for c in "\x1b\x07\u202e\u2066")
    harmless = [c for c in text if c not in "\x1b\x07\u202e\u202c\u2066\u2069"]
    assert "".join(harmless) == "".join(c for c in shown if c in harmless)[: len(harmless)] or text == shown
    for view in VIEWS:
        tab.goto(f"{page.url}/#/{view}")
        tab.wait_for_selector("h1")
    assert tab.evaluate("window.hacked") is None
    assert 0 == tab.locator("main script, main img, main a[href^=javascript]").count()


def test_a_long_text_is_cut_and_whole_in_its_event(page: Served, tab: Page) -> None:
    page.push("a" * 100_000)
    tab.goto(_conversation(page))
    expect(tab.locator(".bubble")).to_contain_text("98,000 more characters")
    tab.locator(".bubble a").click()
    expect(tab.locator("pre").first).to_contain_text("a" * 99_000)


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


def test_one_stream_for_all_tabs_and_no_other_address(page: Served, browser: Browser) -> None:
    with tab_of(browser) as context:
        asked: list[str] = []
        context.on("request", lambda request: asked.append(request.url))
        tabs = [context.new_page() for _ in range(8)]
        for tab in tabs:
            tab.goto(f"{page.url}/#/tickets")
            expect(tab.locator("#link")).to_have_text("live")
        page.push("to every tab")
        for tab in tabs:
            expect(tab.locator(".ticket")).to_contain_text("to every tab")
        assert {page.url} == {"/".join(url.split("/")[:3]) for url in asked}
        assert 1 >= sum("/api/stream" in url for url in asked), "the worker's own is the only one"


def test_without_a_shared_worker_a_tab_has_its_own_stream(page: Served, tab: Page) -> None:
    tab.add_init_script("delete window.SharedWorker")
    tab.goto(f"{page.url}/#/tickets")
    expect(tab.locator("#link")).to_have_text("live")
    page.push("plain")
    expect(tab.locator(".ticket")).to_contain_text("plain")


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


def test_hundreds_of_messages_at_once_leave_the_page_quick(page: Served, tab: Page) -> None:
    tab.goto(f"{page.url}/#/tickets")
    expect(tab.locator("#link")).to_have_text("live")
    for number in range(400):
        page.push(f"burst {number}", f"70000000000000{number % 90:05}")
    expect(tab.locator(".ticket").first).to_contain_text("burst 399")
    assert 80 >= tab.locator(".ticket").count(), "bounded"
