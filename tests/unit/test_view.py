"""A line for people."""

import re
from typing import Any

import pytest

from listener.cli.tail_view import TailView, clean, fit, width_of
from listener.event import Received
from tests.samples import bot_message, encode, example, received, ticket, ticket_updated

NOW = 1_800_000_000_000
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def shown(payload: bytes, *, colours: bool = False, width: int | None = None, at: int = NOW) -> str:
    return TailView(colours=colours, width=width).line(received(payload, received_ms=at), NOW)


def test_time_ticket_who_status_and_text() -> None:
    line = shown(encode(example(sender_type=2, ticket=ticket(status=3), text="请问vpn怎么下载")))
    assert ["6626871355780366331", "guest", "queued", "请问vpn怎么下载"] == line.split()[1:]
    assert re.match(r"\d\d:\d\d:\d\d ", line)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"sender_type": "3"}, "agent"),
        ({"sender_type": 9}, "9"),
        ({"ticket": [{"ticket_id": 7, "status": "52"}]}, "closed_by_user"),
        ({"msg_type": "image", "text": "a picture"}, "[image] a picture"),
        ({"text": None}, "closed_by_bot"),
        ({"ticket": None}, "-"),
    ],
)
def test_whatever_came(changes: dict[str, Any], expected: str) -> None:
    assert expected in shown(encode(example(**changes)))


def test_other_events_are_named_by_their_type() -> None:
    assert "(helpdesk.ticket.updated_v1)" in shown(encode(ticket_updated()))


def test_what_can_not_be_read_says_why() -> None:
    line = TailView(colours=False, width=None).line(Received(1, "x", "y", NOW, b"hello"), NOW)
    assert "(not JSON" in line


def test_columns_are_aligned_whatever_the_script() -> None:
    payloads = [example(text="|"), example(text="|", ticket=ticket(ticket_id="工单")), bot_message()]
    lines = [shown(encode(one)) for one in payloads[:2]]
    assert 1 == len({width_of(line[: line.index("|")]) for line in lines})
    assert "\n" not in shown(encode(payloads[2]))


def test_colours_are_asked_for_and_take_no_room() -> None:
    plain, coloured = (shown(encode(example()), colours=on) for on in (False, True))
    assert plain != coloured
    assert plain == ESCAPES.sub("", coloured)


@pytest.mark.parametrize("width", [1, 40, 66, 80, 200])
def test_cut_to_the_terminals_width(width: int) -> None:
    line = shown(encode(example(text="服务台" * 100)), width=width)
    assert width_of(line) <= max(width, 66)


@pytest.mark.parametrize("text", ["\x1b[2J", "a\x07b", "\x9b31m", "\u202egnp.exe", "line\nline\r", "\u2028"])
def test_nothing_that_came_moves_the_cursor(text: str) -> None:
    line = shown(encode(example(text=f"<{text}>", ticket=ticket(ticket_id=text))))
    assert line.isprintable()
    assert clean(text).isprintable()


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("工单消息", 8, "工单消息"),
        ("工单消息", 7, "工单消…"),
        ("工单消息", 6, "工单…"),
        ("e\u0301\u0301bc", 3, "e\u0301\u0301bc"),
        ("😭😭", 3, "😭…"),
        ("", 0, ""),
    ],
)
def test_fitting(text: str, width: int, expected: str) -> None:
    assert expected == fit(text, width)
    assert width_of(fit(text, width)) <= width
