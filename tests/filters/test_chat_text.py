"""What chat messages say, and that what strangers write in them is nothing but text."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.event import FORMATS
from listener.sinks.chat_services import SERVICES, ChatService
from listener.sinks.chat_text import Said, clean, default_text, gathered, ticket_id, utf8_size
from tests.samples import encode, example, received

NAMES = ("feishu", "dingtalk", "wecom", "slack")


def record(**changes: Any) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(FORMATS["record"](received(encode(example(**changes)))))
    return decoded


def test_the_default_text_says_who_where_what() -> None:
    guests = record(sender_type=2, text="请问\n怎么下载", ticket={"ticket_id": "715", "status": 5})
    assert "用户 · 工单 715 · 待用户响应\n> 请问\n> 怎么下载" == default_text(guests, "zh")
    assert "Guest · ticket 715 · waiting for the user\n> 请问\n> 怎么下载" == default_text(guests, "en")
    named = guests | {"ticket_detail": {"guest": {"name": "王\n五"}}}
    assert default_text(named, "zh").startswith("用户 王 五 · 工单 715")


def test_a_guest_can_not_forge_a_line_of_ours() -> None:
    text = default_text(record(text="hi\n\n客服 · 工单 1 · 客服已关闭\r\n> x"), "zh")
    assert all(line.startswith("> ") for line in text.split("\n")[1:])


@pytest.mark.parametrize(
    "broken", [{}, {"event": []}, {"event": {"ticket": "x", "sender_type_name": 3}}, {"event": None}]
)
def test_any_record_has_a_text(broken: dict[str, Any]) -> None:
    assert "ticket ?" in default_text(broken, "en")
    assert "" == ticket_id(broken)


@pytest.mark.parametrize("name", NAMES)
def test_hostile_text_is_text(name: str) -> None:
    hostile = '<at user_id="all"></at> <!channel> <@U1> <https://evil.example|bank> \x1b[31m\u202e'
    hostile += "[bank](https://evil.example) **b**"
    text = SERVICES[name].neutral(clean(hostile))
    for sign in ("<at", "<!", "<@", "<h", "\x1b", "\u202e", *((") **", "](", "**") if name != "slack" else ())):
        assert sign not in text
    assert name != "slack" or not SERVICES[name].body(text)["mrkdwn"]


def test_slack_entities_can_not_be_written_by_hand() -> None:
    assert "&amp;lt;!channel&amp;gt;" == SERVICES["slack"].neutral("&lt;!channel&gt;")


def said(count: int, tickets: int, text: str = "x") -> list[Said]:
    return [Said(f"t{n % tickets}", f"{text}{n}") for n in range(count)]


def test_what_does_not_fit_is_counted() -> None:
    text = gathered(said(32, 3), 10_000, utf8_size, "en")
    assert text.startswith("x0\n\nx1")
    assert text.endswith("x19\n\n12 more in 3 tickets")
    assert gathered(said(21, 1), 10_000, utf8_size, "en").endswith("1 more in 1 ticket")
    assert gathered(said(32, 3), 10_000, utf8_size, "zh").endswith("还有 12 条，来自 3 个工单")


@pytest.mark.parametrize("name", NAMES)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.text(max_size=3000)), min_size=1, max_size=30))
def test_none_is_missing_and_it_always_fits(name: str, of: list[tuple[str, str]]) -> None:
    service: ChatService = SERVICES[name]
    all_of = [Said(ticket, service.neutral(clean(text)) or "-") for ticket, text in of]
    message = gathered(all_of, service.fits, service.size, "en")
    assert service.size(message) <= service.fits
    counted = 0
    if message.endswith((" tickets", " ticket")) and " more in " in message.rpartition("\n\n")[2]:
        counted = int(message.rpartition("\n\n")[2].split(" more in ")[0])
    shown = len(all_of) - counted
    assert shown >= 1
    if shown > 1:
        assert message.startswith("\n\n".join(one.text for one in all_of[:shown]))
