"""What the page asks and does, without a browser: lists, one event, dead letters and decisions about them."""

from typing import Any

from tests.page.asking import Person, ask, told
from tests.page.serving import Served


def sinks(page: Served, seq: int) -> dict[str, str]:
    """How far each sink is with an event."""
    return {one["name"]: one["state"] for one in told(page, f"event?seq={seq}")["sinks"]}


def letters(page: Served) -> list[tuple[str, str]]:
    """(state, text) of what is not delivered."""
    return [(one["state"], one["text"]) for one in told(page, "letters")["letters"]]


def test_a_dead_letter_says_why_and_a_retry_delivers_it(page: Served) -> None:
    page.hook.refused = [b"nobody knows"]
    page.push("nobody knows her")
    page.daemon.until(lambda: letters(page) == [("dead", "nobody knows her")], "a dead letter")
    (letter,) = told(page, "letters")["letters"]
    assert ("crm", 1, "HTTP 422: no customer of that name") == (letter["sink"], letter["seq"], letter["reason"])
    assert {"archive": "delivered", "crm": "dead"} == sinks(page, 1)
    page.hook.refused = []
    person = Person(page)
    assert (200, 1) == person.does("retry", sink="crm", ids=[letter["id"]])
    page.daemon.until(lambda: page.hook.taken, "it is delivered")
    page.daemon.until(lambda: not letters(page), "nothing is left")
    assert {"archive": "delivered", "crm": "delivered"} == sinks(page, 1)
    assert (200, 0) == person.does("retry", sink="crm")
    assert (409, "no sink of that name is in the settings") == person.does("retry", sink="nobody")


def test_dead_letters_are_discarded_one_or_all(page: Served) -> None:
    page.hook.refused = [b"refused"]
    for number in range(3):
        page.push(f"refused {number}", f"700000000000000000{number}")
    page.daemon.until(lambda: len(letters(page)) == 3, "3 dead letters")
    person = Person(page)
    newest = told(page, "letters")["letters"][0]
    assert (200, 1) == person.does("discard", sink="crm", ids=[newest["id"]])
    assert (200, 2) == person.does("discard", sink="crm")
    assert {"dead": 0, "waiting": 0, "unreadable": 0} == told(page, "letters")["counts"]
    assert [] == page.hook.taken


def test_what_waits_is_tried_at_once_or_discarded(page: Served) -> None:
    page.hook.failing = [b"not today"]
    page.push("not today 1", "7000000000000000001")
    page.push("not today 2", "7000000000000000002")
    others = iter(range(1000))

    def waiting() -> list[tuple[str, str]]:
        """An event waits for a retry once others have passed it."""
        number = next(others)
        page.push(f"others go on {number}", f"70000000000000001{number:02}")
        return letters(page)

    page.daemon.until(lambda: len(waiting()) == 2, "both wait", within=60)
    assert {("waiting", "not today 1"), ("waiting", "not today 2")} == set(letters(page))
    person = Person(page)
    first = next(one["seq"] for one in told(page, "letters")["letters"] if one["text"] == "not today 1")
    assert {"archive": "delivered", "crm": "waiting"} == sinks(page, first)
    page.daemon.until(lambda: person.does("discard_waiting", sink="crm", ids=[first]) == (200, 1), "it is discarded")
    nothing = (409, "it does not wait any more")
    assert nothing == person.does("discard_waiting", sink="crm", ids=[first])
    assert (409, "nothing waits for archive") == person.does("hurry", sink="archive")
    page.hook.failing = []
    assert 200 == person.does("hurry", sink="crm")[0]
    page.daemon.until(lambda: not letters(page), "the other is delivered")
    assert [True] == [b"not today 2" in body for body in page.hook.taken if b"not today" in body]


def test_an_event_is_handed_on_again_and_only_one_that_was_delivered(page: Served) -> None:
    page.push("hand me on")
    page.daemon.until(lambda: page.hook.taken, "the first delivery")
    person = Person(page)
    assert (200, 1) == person.does("replay", sink="crm", seq=1)
    page.daemon.until(lambda: len(page.hook.taken) == 2, "the second delivery")
    status, why = person.does("replay", sink="crm", seq=2)
    assert (409, True) == (status, why.startswith("crm has yet to get that event"))
    event = told(page, "event?seq=1")
    assert ("hand me on", "") == (event["record"]["event"]["text"], event["raw"]["header"]["token"])
    answer, body = ask(page.port, "GET", "/api/event?seq=2")
    assert (404, b"that event is not kept any more") == (answer.status, body.rstrip())


def texts(page: Served, query: str) -> tuple[list[str], Any]:
    """(the texts of the messages that were found, where to go on)."""
    found = told(page, f"messages?{query}")
    return [one["text"] for one in found["events"]], found["next"]


def test_messages_are_found_by_words_and_ticket_and_come_in_portions(page: Served) -> None:
    for text, ticket in (("the printer", "71"), ("the scanner", "72"), ("a printer again", "71")):
        page.push(text, ticket)
    assert (["a printer again", "the scanner", "the printer"], None) == texts(page, "")
    assert (["a printer again", "the printer"], None) == texts(page, "ticket=71")
    assert (["the scanner"], None) == texts(page, "words=SCANNER+the")
    newest, at = texts(page, "limit=2")
    assert ["a printer again", "the scanner"] == newest
    assert ["the printer"] == texts(page, f"limit=2&before={at}")[0]


def test_figures_count_what_is_journalled(page: Served) -> None:
    for number in range(3):
        page.push(f"message {number}", f"7{number}", sender=2)
    numbers = told(page, "numbers")
    assert (3, True, {"processing": 3}) == (numbers["events"], numbers["complete"], numbers["statuses"])
    page.push("one more", "70", sender=3, status=51)
    again = told(page, "numbers")
    assert (4, {"processing": 2, "closed_by_agent": 1}) == (again["events"], again["statuses"])
    pace = told(page, "pace?offset=480")
    assert 4 == sum(pace["minutes"])
