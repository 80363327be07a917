"""Messages by the app's own bot against the stand-in: sent once, also through a crash; what a refusal means."""

import asyncio
import re
import threading
from pathlib import Path
from typing import Any

import pytest

from listener.base.errors import ConfigError
from listener.delivery.formatting import Formatter
from listener.delivery.workers import new_worker
from listener.feishu.app_bot import AppBot
from listener.feishu.meter import Meter
from listener.journal import Cursor, Journal
from listener.settings.config import Settings, load
from listener.simulator import PlatformThread, faults
from listener.simulator.chats import DEMO_CHAT, MESSAGES_PATH, SEND_SCOPE, Chats
from listener.sinks.chat import ChatConfig
from listener.sinks.chat_services import PostOutcome
from tests.connection.listening import event
from tests.daemon import Daemon
from tests.helpdesk.test_clients import settings
from tests.inprocess import stand_in
from tests.journal.keeping import keep_ids, opened
from tests.network.sending import drained

__all__ = ["stand_in"]
CHAT = f"[[sinks]]\nname = 'team'\ntype = 'chat'\nservice = 'feishu'\nchat_id = '{DEMO_CHAT}'\nstart = 'earliest'\n"


def posted(tmp_path: Path, stand_in: PlatformThread, *texts: str, chat: str = DEMO_CHAT) -> list[PostOutcome]:
    """The answers to these texts, each with its own place as uuid."""
    wanted = settings(tmp_path, stand_in.url)

    async def run() -> list[PostOutcome]:
        bot = AppBot(lambda: wanted.feishu, chat)
        return [await bot.post(text, f"u{n}") for n, text in enumerate(texts)]

    return asyncio.run(run())


def test_a_message_is_sent_once_for_its_uuid(tmp_path: Path, stand_in: PlatformThread) -> None:
    assert [PostOutcome("delivered")] * 2 == posted(tmp_path, stand_in, "a", "b")
    assert [PostOutcome("delivered")] * 2 == posted(tmp_path, stand_in, "a", "b")
    assert ["a", "b"] == [message.text for message in chats(stand_in).messages]


def chats(stand_in: PlatformThread) -> Chats:
    return stand_in.platform.api.chats


def test_what_is_refused_for_good_pauses_and_what_passes_is_tried_again(
    tmp_path: Path, stand_in: PlatformThread
) -> None:
    assert "paused" == posted(tmp_path, stand_in, "a", chat="oc_other")[0].meaning
    stand_in.platform.api.scopes.discard(SEND_SCOPE)
    (without_scope,) = posted(tmp_path, stand_in, "a")
    assert ("paused", True) == (without_scope.meaning, SEND_SCOPE in without_scope.reason)
    stand_in.platform.api.scopes.add(SEND_SCOPE)
    throttled: dict[str, Any] = {"code": 99991400, "msg": "request trigger frequency limit"}
    stand_in.platform.faults.api[MESSAGES_PATH] = [faults.reply(throttled, 429, {"x-ogw-ratelimit-reset": "7"})]
    (told_to_wait,) = posted(tmp_path, stand_in, "a")
    assert ("again", 7.0) == (told_to_wait.meaning, told_to_wait.after)
    assert "rejected" == posted(tmp_path, stand_in, "x" * 200_000)[0].meaning


def test_a_token_that_is_no_longer_good_is_fetched_anew(tmp_path: Path, stand_in: PlatformThread) -> None:
    wanted = settings(tmp_path, stand_in.url)

    async def run() -> list[str]:
        bot = AppBot(lambda: wanted.feishu, DEMO_CHAT)
        first = await bot.post("a", "u0")
        stand_in.platform.api.tokens.clear()
        return [first.meaning, (await bot.post("b", "u1")).meaning, (await bot.post("b", "u1")).meaning]

    assert ["delivered", "again", "delivered"] == asyncio.run(run())


def test_the_daemon_writes_to_the_chat_and_never_above_its_limits(tmp_path: Path, stand_in: PlatformThread) -> None:
    config = CHAT.replace("start =", "batch.linger = '0s'\nstart =")
    with Daemon(tmp_path, domain=stand_in.url, config=config) as daemon:
        daemon.ready()
        for number in range(30):
            stand_in.call(stand_in.platform.push, event(number))
        daemon.until(lambda: counted(stand_in) >= 30, "all are told", 30)
        assert 0 == daemon.stop()
    at = list(chats(stand_in).requests)
    assert not [one for one in at if sum(0 <= other - one < 0.99 for other in at) > 5]
    assert 0 == daemon.said("230020")
    assert not [token for token in stand_in.platform.api.tokens if daemon.said(token)]


def counted(stand_in: PlatformThread) -> int:
    """Events that the messages show or count."""
    texts = [message.text for message in chats(stand_in).messages]
    more = [re.findall(r"还有 (\d+) 条", text) for text in texts]
    return sum(text.count("· 工单 ") for text in texts) + sum(int(one) for found in more for one in found)


def test_a_crash_after_a_message_and_before_its_commit_sends_no_second(
    tmp_path: Path, stand_in: PlatformThread
) -> None:
    wanted = settings(tmp_path, stand_in.url)
    given: dict[str, Any] = {"name": "team", "service": "feishu", "chat_id": DEMO_CHAT}
    config = ChatConfig(**given)
    with opened(tmp_path / "j.db") as journal:
        keep_ids(journal, "a")
        for _ in range(2):  # the second run begins where the first one did, as after a crash
            worker = started(journal, config, wanted)
            drained(worker)
            worker.abandon()
            assert worker.join(5.0)
    assert 2 == len(chats(stand_in).requests)
    assert 1 == len(chats(stand_in).messages)


def started(journal: Journal, config: ChatConfig, wanted: Settings) -> Any:
    formatter, abandon = Formatter(share=False), threading.Event()
    worker = new_worker(config, journal, Cursor(0), abandon=abandon, feishu=lambda: wanted.feishu, formatter=formatter)
    worker.start()
    return worker


@pytest.mark.parametrize("setting", ["url = 'https://x/y'", "secret = 'abcdef'", "proxy = 'http://p:1'"])
def test_settings_of_a_group_bot_are_refused(tmp_path: Path, setting: str) -> None:
    (tmp_path / "config.toml").write_text(f"{CHAT}{setting}\n")
    with pytest.raises(ConfigError):
        load(tmp_path / "config.toml", {"FEISHU_APP_ID": "cli_a", "FEISHU_APP_SECRET": "x", "HOME": str(tmp_path)})


def test_its_calls_are_counted_and_end_with_the_months_budget(tmp_path: Path, stand_in: PlatformThread) -> None:
    wanted, meter = settings(tmp_path, stand_in.url), Meter(3)

    async def run() -> list[PostOutcome]:
        bot = AppBot(lambda: wanted.feishu, DEMO_CHAT, meter)
        return [await bot.post(text, text) for text in ("a", "b", "c")]

    assert ["delivered", "delivered", "again"] == [answer.meaning for answer in asyncio.run(run())]
    assert {"token": 1, "chat": 2} == meter.counts()
    assert ["a", "b"] == [message.text for message in chats(stand_in).messages]
