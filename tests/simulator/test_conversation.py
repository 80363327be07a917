"""The demo's conversation: believable, endless, repeatable, and in every shape that is seen in the wild."""

import json
from itertools import count, islice, pairwise
from typing import Any

import pytest

from listener.simulator import conversation
from listener.simulator.conversation import EXAMPLE


def take(number: int, seed: int = 7) -> list[dict[str, Any]]:
    ticks = count(1_700_000_000_000, 1500)
    return list(islice(conversation(seed, lambda: next(ticks)), number))


def test_the_same_seed_and_clock_give_the_same() -> None:
    assert take(60) == take(60)
    assert take(60) != take(60, seed=8)


def test_it_never_ends_and_never_repeats_an_id() -> None:
    events = take(500)
    assert 500 == len({event["header"]["event_id"] for event in events})
    assert 500 == len({event["event"]["ticket_message_id"] for event in events[1:]}) + 1


def test_two_runs_without_a_seed_share_no_event_id() -> None:
    runs = [{event["header"]["event_id"] for event in islice(conversation(), 30)} for _ in range(2)]
    assert set() == runs[0] & runs[1]


def test_it_opens_with_the_documents_example() -> None:
    first = take(1)[0]
    assert EXAMPLE["event"] == first["event"]
    assert {*EXAMPLE["header"]} == {*first["header"]}


def _tickets(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event["event"]["ticket"] for event in events]


@pytest.mark.parametrize(
    ("what", "found"),
    [
        ("comments as an object", lambda event: isinstance(event["ticket"].get("comments"), dict)),
        ("comments as a list", lambda event: isinstance(event["ticket"].get("comments"), list)),
        ("a reason as an object", lambda e: isinstance(e["ticket"].get("dissatisfaction_reason"), dict)),
        ("a reason as a list", lambda event: isinstance(event["ticket"].get("dissatisfaction_reason"), list)),
        ("a position as a string", lambda event: isinstance(event["position"], str)),
        ("a position as a number", lambda event: isinstance(event["position"], int)),
        ("a numeric chat_id", lambda event: isinstance(event["chat_id"], int)),
        ("an oc_ chat_id", lambda event: str(event["chat_id"]).startswith("oc_")),
        ("no sender_id", lambda event: "sender_id" not in event),
        ("a ticket of two fields", lambda event: {"ticket_id", "status"} == {*event["ticket"]}),
        ("an image", lambda event: bool(event["content"].get("image_keys"))),
        ("Chinese", lambda event: "您好" in event["text"]),
        ("English", lambda event: "Hello" in event["text"]),
        ("a bot", lambda event: event["sender_type"] == 1),
        ("a guest", lambda event: event["sender_type"] == 2),
        ("an agent", lambda event: event["sender_type"] == 3),
    ],
)
def test_every_shape_turns_up_in_the_first_round(what: str, found: Any) -> None:
    assert any(found(event["event"]) for event in take(24)), what


def test_tokens_are_empty_at_times() -> None:
    assert {True, False} == {event["header"]["token"] == "" for event in take(24)}


def test_every_ticket_ends_closed_and_stays_silent_then() -> None:
    tickets: dict[str, list[int]] = {}
    for ticket in _tickets(take(1 + 22 * 3)):
        tickets.setdefault(ticket["ticket_id"], []).append(ticket["status"])
    assert {True} == {statuses[-1] >= 50 for statuses in tickets.values()}
    assert {True} == {max(statuses[:-1], default=0) < 50 for statuses in tickets.values()}
    assert {50, 51, 52} == {statuses[-1] for statuses in tickets.values()}


def test_several_tickets_talk_at_a_time() -> None:
    ids = [ticket["ticket_id"] for ticket in _tickets(take(20))]
    assert sum(one != other for one, other in pairwise(ids)) > len(set(ids))


def test_the_upper_half_of_a_message_id_is_its_time() -> None:
    for event in take(30)[1:]:
        assert int(event["header"]["create_time"]) // 1000 == int(event["event"]["ticket_message_id"]) >> 32


def test_it_is_json() -> None:
    assert take(30) == json.loads(json.dumps(take(30)))
