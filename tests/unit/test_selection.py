"""`only`, `omit` and `mask`: what a sink gets, and what of it it sees."""

import json
import re
import timeit
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.base.errors import ConfigError
from listener.delivery.selection import wants
from listener.event import FORMATS, Received
from listener.event.reshaping import reshaping
from listener.settings.config import load
from listener.sinks.base import Only
from tests.samples import encode, example, message, received, seen, ticket

MESSAGE: Final = "helpdesk.ticket_message.created_v1"
ALL = ("email", "phone", "long_id")


def is_wanted(only: Only, **changes: Any) -> bool:
    return wants(only, received(encode(example(**changes))))


def test_only_the_senders_that_are_named() -> None:
    guests = Only(sender=("guest",))
    assert [False, True, True, False] == [is_wanted(guests, sender_type=kind) for kind in (1, 2, "2", "x")]
    without = example()
    del without["event"]["sender_type"]
    assert not wants(guests, received(encode(without)))


def test_only_the_statuses_and_helpdesks_that_are_named() -> None:
    closed = Only(status=("closed_by_bot", "closed_by_user"))
    assert [True, False, True] == [is_wanted(closed, ticket=ticket(status=code)) for code in (50, 1, "52")]
    two = Only(helpdesk_id=("661", "662"))
    assert [True, True, False] == [is_wanted(two, ticket=ticket(helpdesk_id=i)) for i in ("661", 662, "663")]
    assert not is_wanted(two)


def test_each_list_that_is_given_must_match() -> None:
    both = Only(sender=("guest",), status=("created",), event_type=(MESSAGE,))
    assert is_wanted(both, sender_type=2, ticket={"status": 1})
    assert not is_wanted(both, sender_type=2, ticket={"status": 2})
    assert not is_wanted(Only(event_type=("helpdesk.ticket.created_v1",)))


def test_what_can_not_be_read_goes_on_to_be_told() -> None:
    assert wants(Only(sender=("guest",)), Received(1, "e", "x", 1, b"hello"))


@pytest.mark.parametrize("shape", seen())
def test_every_shape_is_judged_without_an_error(shape: str) -> None:
    wants(Only(sender=("guest",), status=("created",), helpdesk_id=("1",)), received(encode(seen()[shape])))


def reshaped(omit: tuple[str, ...] = (), mask: tuple[str, ...] = (), **changes: Any) -> dict[str, Any]:
    change = reshaping(omit, mask)
    assert change
    record: dict[str, Any] = json.loads(change(FORMATS["record"](received(encode(example(**changes))))))
    return record


def test_omits_fields_also_in_lists_and_passes_over_what_is_not_there() -> None:
    record = reshaped(("event.ticket.agent_owner.email", "event.ticket.comments.user_name", "event.nothing.here"))
    assert "email" not in record["event"]["ticket"]["agent_owner"]
    assert ["user_name" not in one for one in record["event"]["ticket"]["comments"]] == [True]
    assert message()["ticket"]["agent_owner"]["name"] == record["event"]["ticket"]["agent_owner"]["name"]


def masked(text: str, mask: tuple[str, ...] = ALL) -> str:
    """A record's text as a sink sees it."""
    change = reshaping((), mask)
    assert change
    seen: str = json.loads(change(encode({"text": text})))["text"]
    return seen


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("写给 Li.Si+x@mail.example.com 吧", "写给 [email] 吧"),
        ("电话13812345678，或 +86 138-1234-5678。", "电话[phone]，或 [phone]。"),
        ("call +1 (415) 555-0132 or 010-12345678", "call [phone] or [phone]"),
        ("身份证 11010519491231002X 卡 6222 0212 3456 7890 123", "身份证 [id] 卡 [id]"),
        ("单号 6948728206392295444", "单号 [id]"),
        ("2026-11-22 09:30, v1.2.3, 12345, 1+1=2, @小王", "2026-11-22 09:30, v1.2.3, 12345, 1+1=2, @小王"),
    ],
)
def test_masks_what_people_should_not_pass_on(text: str, hidden: str) -> None:
    assert hidden == masked(text)


def test_masks_only_what_is_asked_for() -> None:
    assert "a@b.example [phone]" == masked("a@b.example 13812345678", ("phone",))


def test_masks_texts_and_never_ids() -> None:
    text = "a@b.example 6948728206392295444"
    record = reshaped(mask=ALL, text=text, content={"content": text, "msg_type": "text"}, chat_id="6948728206392295445")
    assert ["[email] [id]"] * 3 == [
        record["event"]["text"],
        record["event"]["content"]["content"],
        record["plain_text"],
    ]
    assert "6948728206392295445" == record["event"]["chat_id"]
    assert message()["ticket"]["ticket_id"] == record["event"]["ticket"]["ticket_id"]


def test_masks_json_in_a_text_and_it_stays_json() -> None:
    record = reshaped(mask=ALL, content={"content": json.dumps({"content": "\nfoo@b.example é@b.example"})})
    assert {"content": "\n[email] é@b.example"} == json.loads(record["event"]["content"]["content"])


def test_a_line_stays_one_line_for_every_reader() -> None:
    change = reshaping((), ("email",))
    assert change
    assert rb"a\u2028b\u0085" in change('{"text":"a\u2028b\u0085"}'.encode())


@given(st.text(alphabet="0123456789@+.-( )aX\u0663", max_size=200))
def test_masking_hides_every_long_number_that_no_letter_follows(text: str) -> None:
    assert not re.search(r"(?<!\d)\d{15,}(?![\dA-Za-z])", masked(text))


def test_hostile_texts_take_no_time() -> None:
    for text in ("1" * 200_000, "a" * 200_000, "a." * 100_000 + "@", "+1 (" * 50_000, "1234 " * 50_000, "@a." * 60_000):
        assert min(timeit.repeat(lambda text=text: masked(text), number=1, repeat=2)) < 2.0  # type: ignore[misc]


def test_only_costs_less_than_the_record_of_an_event() -> None:
    event, only = received(encode(example())), Only(sender=("guest",), status=("created",))
    selecting = min(timeit.repeat(lambda: wants(only, event), number=500, repeat=10))
    assert selecting < min(timeit.repeat(lambda: FORMATS["record"](event), number=500, repeat=10))  # 10 of 18 µs here


SINK = '[feishu]\napp_id = "cli_a"\napp_secret = "x"\n[[sinks]]\nname = "a"\ntype = "stdout"\n'


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ('only.sender = ["gest"]', 'sinks[0].only.sender: expected a list of at least one of "bot", "guest"'),
        ('only.status = ["closed"]', "sinks[0].only.status: expected"),
        ('only.event_type = ["helpdesk.ticket.created_v1"]', "is not in feishu.events, so it never comes"),
        ('only.event_type = ["message"]', "sinks[0].only.event_type: expected"),
        ("only.helpdesk_id = [1]", "expected a list of ids of helpdesks, found a list (its item 1 is wrong)"),
        ('omit = ["event..text"]', "sinks[0].omit: expected a list of fields such as"),
        ('mask = ["mail"]', 'did you mean "email"?'),
        ("only.sender = []", "sinks[0].only.sender: expected"),
    ],
)
def test_a_value_that_can_not_occur_is_told(tmp_path: Path, setting: str, problem: str) -> None:
    (tmp_path / "config.toml").write_text(SINK + setting)
    with pytest.raises(ConfigError) as error:
        load(tmp_path / "config.toml", {"HOME": str(tmp_path)})
    assert problem in str(error.value)
