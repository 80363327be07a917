"""The page in a real browser: what a reader sees and does."""

import json

import pytest

pytest.importorskip("playwright", reason="playwright is not installed")

from playwright.sync_api import Browser, Page, expect

from tests.page.browser import CHROMIUM, tab_of
from tests.page.serving import TOKEN, Served

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(CHROMIUM is None, reason="chromium (Debian: chromium) is missing"),
]


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
    tab.goto(page.conversation())
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
    tab.goto(page.conversation())
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


def test_a_click_counts_though_the_page_is_drawn_anew_under_the_pointer(page: Served, tab: Page) -> None:
    page.hook.refused = [b"refused"]
    tab.goto(page.unlocked)
    expect(tab.get_by_role("button", name="Lock buttons")).to_be_visible()
    tab.get_by_role("link", name="Not delivered").hover()
    tab.mouse.down()
    page.push("refused 0", "7000000000000000100")
    page.daemon.until(lambda: page.daemon.said("dead letter:") == 1, "a dead letter")
    expect(tab.locator(".badge")).to_have_text("1")
    tab.mouse.up()
    expect(tab.locator(".row")).to_have_count(1)
    tab.get_by_role("button", name="Discard", exact=True).hover()
    tab.mouse.down()
    with tab.expect_response(lambda answer: "/api/letters" in answer.url and "refused 1" in answer.text()):
        page.push("refused 1", "7000000000000000101")
    tab.wait_for_timeout(500)  # for a drawing that should not come
    tab.mouse.up()
    expect(tab.locator("dialog")).to_be_visible()
    tab.get_by_role("button", name="Cancel").click()
    expect(tab.locator(".row")).to_have_count(2)


def test_what_waits_is_tried_again_by_a_click(page: Served, tab: Page) -> None:
    page.hook.failing = [b"not today"]
    page.push("not today", "7000000000000000001")
    for number in range(5):
        page.push(f"others go on {number}", f"700000000000000010{number}")
    tab.goto(page.unlocked)
    tab.get_by_role("link", name="Not delivered").click()
    expect(tab.locator("#main")).to_contain_text("Waiting for another attempt", timeout=30_000)
    expect(tab.locator(".row")).to_contain_text("HTTP 500")
    page.hook.failing = []
    tab.get_by_role("button", name="Try again now").click()
    expect(tab.locator("#main")).to_contain_text("Everything is delivered")
    assert any(b"not today" in body for body in page.hook.taken)


def test_what_waits_is_discarded_after_a_question(page: Served, tab: Page) -> None:
    page.hook.failing = [b"not today"]
    for number in range(3):
        page.push(f"not today {number}", f"700000000000000000{number % 2}")
    tab.goto(page.unlocked)
    tab.get_by_role("link", name="Not delivered").click()
    for number in range(30):  # an event waits for a retry once others pass it
        page.push(f"others go on {number}", f"70000000000000001{number:02}")
        tab.wait_for_timeout(1000)
        if tab.locator(".row").count() == 3:
            break
    expect(tab.locator(".row")).to_have_count(3)
    rest = tab.locator(".row").filter(has_text="not today 2")
    rest.get_by_role("button", name="Discard").click()
    tab.locator("dialog").get_by_role("button", name="Discard").click()
    expect(tab.locator(".row")).to_have_count(2)
    tab.get_by_role("button", name="Discard all").click()
    tab.locator("dialog").get_by_role("button", name="Discard").click()
    expect(tab.locator("#main")).to_contain_text("Everything is delivered")
    page.hook.failing = []
    page.push("not today, but tomorrow", "7000000000000000000")
    page.daemon.until(lambda: any(b"tomorrow" in body for body in page.hook.taken), "the ticket's next message")
    assert not any(b"not today " in body for body in page.hook.taken)


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
    tab.locator(".row").nth(1).get_by_role("button", name="Replay").click()
    page.daemon.until(lambda: len(page.hook.taken) == 2, "the second delivery")
    tab.get_by_role("button", name="Copy as JSON").first.click()
    expect(tab.locator("#toast")).to_have_text("Copied")
    assert "hand me on" == json.loads(tab.evaluate("navigator.clipboard.readText()"))["event"]["text"]


def test_a_long_text_is_cut_and_whole_in_its_event(page: Served, tab: Page) -> None:
    page.push("a" * 100_000)
    tab.goto(page.conversation())
    expect(tab.locator(".bubble")).to_contain_text("98,000 more characters")
    tab.locator(".bubble a").click()
    expect(tab.locator("pre").first).to_contain_text("a" * 99_000)


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


def test_hundreds_of_messages_at_once_leave_the_page_quick(page: Served, tab: Page) -> None:
    tab.goto(f"{page.url}/#/tickets")
    expect(tab.locator("#link")).to_have_text("live")
    for number in range(400):
        page.push(f"burst {number}", f"70000000000000{number % 90:05}")
    expect(tab.locator(".ticket").first).to_contain_text("burst 399")
    assert 80 >= tab.locator(".ticket").count(), "bounded"
