"""The chat sink against stand-ins of the services, over real sockets."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from listener.base.errors import ConfigError
from listener.delivery.formatting import Formatter
from listener.delivery.preparing import Preparer
from listener.event import FORMATS
from listener.settings.config import load
from listener.settings.secrets import Secret, SecretKind, SecretSource
from listener.sinks.chat import ChatConfig, ChatSink
from listener.sinks.chat_services import SERVICES
from listener.sinks.network import Batch, Outgoing
from listener.sinks.posting_rate import PostingRate, rush
from listener.sinks.results import Delivered, Rejected, Result, TryAgain
from tests.filters.services import SECRET, StandIn, serving
from tests.samples import encode, example, received

NAMES = ("feishu", "dingtalk", "wecom", "slack")
LIMITS = {"feishu": (100, 5), "dingtalk": (20, 20), "wecom": (20, 20), "slack": (60, 1)}  # a minute, a second


def batch(count: int, tickets: int = 1, data: bytes | None = None) -> Batch:
    events = [
        received(encode(example(f"e{n}", ticket={"ticket_id": f"t{n % tickets}"}, text=f"text {n}")), seq=n + 1)
        for n in range(count)
    ]
    return Batch(Outgoing(event, data or FORMATS["record"](event)) for event in events)


def secret(text: str) -> SecretSource:
    return SecretSource(SecretKind.INLINE, "here", Secret(text))


def told(stand_in: StandIn, step: Callable[[ChatSink], Awaitable[Any]], **settings: Any) -> Any:
    """What comes of a step with a sink that posts to the stand-in."""

    async def run() -> Any:
        async with serving(stand_in):
            given: dict[str, Any] = {
                "name": "team",
                "service": stand_in.service,
                "url": secret(stand_in.url),
            } | settings
            sink = ChatSink(ChatConfig(**given))
            await sink.open()
            try:
                return await step(sink)
            finally:
                await sink.close()

    return asyncio.run(run())


def delivered(stand_in: StandIn, events: Batch, **settings: Any) -> list[Result]:
    results: list[Result] = told(stand_in, lambda sink: sink.deliver(events), **settings)
    return results


@pytest.mark.parametrize("name", NAMES)
def test_an_event_is_a_message(name: str) -> None:
    stand_in = StandIn(name)
    assert [Delivered()] == delivered(stand_in, batch(1))
    (text,) = stand_in.texts
    assert "工单 t0" in text
    assert "text 0" in text


@pytest.mark.parametrize("name", ["feishu", "dingtalk"])
def test_signs_as_the_service_wants(name: str) -> None:
    assert [Delivered()] == delivered(StandIn(name, signed=True), batch(1), secret=secret(SECRET))
    (refused,) = delivered(StandIn(name, signed=True), batch(1), secret=secret("another-one"))
    assert isinstance(refused, TryAgain)
    assert (True, "endpoint") == (refused.paused, refused.scope)


@pytest.mark.parametrize("name", NAMES)
def test_documented_answers_have_the_right_outcome(name: str) -> None:
    stand_in = StandIn(name)
    for why in ("throttled", "bad signature", "too long"):
        stand_in.refuse(why)

    async def three(sink: ChatSink) -> list[Result]:
        return [(await sink.deliver(batch(1)))[0] for _ in range(4)]

    throttled, signature, long, fine = told(stand_in, three)
    assert isinstance(throttled, TryAgain)
    assert (throttled.after or 0) >= 7
    assert isinstance(signature, TryAgain)
    assert (False, True) == (throttled.paused, signature.paused)
    assert isinstance(long, Rejected)
    assert isinstance(fine, Delivered)


def test_a_keyword_stands_in_each_message() -> None:
    stand_in = StandIn("feishu", keyword="值班")
    (refused,) = delivered(StandIn("feishu", keyword="值班"), batch(1))
    assert isinstance(refused, TryAgain)
    assert "keyword" in refused.reason
    assert [Delivered()] == delivered(stand_in, batch(1), keyword="值班")
    assert stand_in.texts[0].startswith("值班\n")


@pytest.mark.parametrize("name", NAMES)
def test_a_burst_of_a_thousand_is_one_message_that_counts_all(name: str) -> None:
    stand_in = StandIn(name)
    assert [Delivered()] * 1000 == delivered(stand_in, batch(1000, tickets=7), language="en")
    (text,) = stand_in.texts
    shown = text.count("ticket t")
    more = int(text.rpartition("\n\n")[2].split(" more in ")[0])
    assert 1000 == shown + more
    assert text.endswith("in 7 tickets")


def test_posts_stay_below_what_the_service_allows() -> None:
    """The pace of each service keeps its limits, and another run before this one may have used half of them."""
    for name, (per_minute, per_second) in LIMITS.items():
        service = SERVICES[name]
        assert service.per_minute <= per_minute
        assert 1 / service.spacing <= per_second
        pace, posts = PostingRate(service.per_minute, 0.0), 0
        while not pace.wait():
            pace.count()
            posts += 1
        assert service.per_minute // 2 == service.per_minute - posts


def test_posts_are_spaced_and_none_goes_out_in_the_rush_of_a_half_hour() -> None:
    pace = PostingRate(90, 0.5)
    assert 0 == pace.wait()
    pace.count()
    assert 0.4 < pace.wait() <= 0.5
    assert [10.0, 7.5, 0, 0, 1.0] == [rush(1800.0 * 3 + into) for into in (0, 2.5, 10, 1799, 1809)]


def test_text_is_an_expression_of_jq() -> None:
    config = ChatConfig(name="team", service="slack", url=secret("https://chat.example/x"), text=".plain_text")
    preparer = Preparer(config, Formatter(share=False), threading.Event())
    try:
        assert [b'"text 0"'] == [line.data for line in preparer.prepare([batch(1)[0].event]).lines]
    finally:
        preparer.close()


def test_a_text_of_the_users_own_is_neutral_too() -> None:
    stand_in = StandIn("slack")
    delivered(stand_in, batch(1, data=b'"<!channel> hi"'))
    assert ["&lt;!channel&gt; hi"] == stand_in.texts


def test_neither_url_nor_secret_is_in_a_reason() -> None:
    async def run() -> Sequence[Result]:
        url = secret("http://127.0.0.1:9/bot/hook-of-the-group?access_token=t0ken")
        sink = ChatSink(ChatConfig(name="team", service="dingtalk", url=url, secret=secret(SECRET)))
        await sink.open()
        results = await sink.deliver(batch(1))
        await sink.close()
        return results

    (refused,) = asyncio.run(run())
    assert isinstance(refused, TryAgain)
    assert not [word for word in ("hook", "t0ken", SECRET, "bot/") if word in refused.reason]


def test_plain_http_goes_to_this_machine_alone() -> None:
    sink = ChatSink(ChatConfig(name="team", service="wecom", url=secret("http://chat.example/hook-of-ours")))
    with pytest.raises(ConfigError) as error:
        asyncio.run(sink.open())
    assert "hook-of-ours" not in f"{error.value} {error.value.hint}"


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ("service = 'slack'\nurl = 'https://x/y'\nsecret = 'abc'", "slack does not sign"),
        ("service = 'slack'\nurl = 'https://x/y'\ntext = '.'\ntransform = '.'", "set one of them"),
        ("service = 'slack'\nurl = 'https://x/y'\nformat = 'raw'", "leave format out"),
        ("service = 'slck'\nurl = 'https://x/y'", 'did you mean "slack"'),
        ("service = 'slack'", "set one of url"),
        ("service = 'feishu'\nurl = 'https://x/y'\nchat_id = 'oc_a'", "set one of url"),
        ("service = 'slack'\nchat_id = 'oc_a'", "chat_id is of Feishu and Lark"),
    ],
)
def test_settings_that_can_not_work_are_told(tmp_path: Path, settings: str, problem: str) -> None:
    head = "[feishu]\napp_id = 'cli_a'\napp_secret = 'x'\n[[sinks]]\nname = 'team'\ntype = 'chat'\n"
    (tmp_path / "config.toml").write_text(head + settings)
    with pytest.raises(ConfigError) as error:
        load(tmp_path / "config.toml", {"HOME": str(tmp_path)})
    assert problem in str(error.value)
