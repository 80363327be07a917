"""How many clients of the app are online, asked by the daemon: one too many is told, and is no reason to stop."""

import asyncio
import threading
import time
from pathlib import Path

import pytest

from listener.app.daemon import run
from listener.app.running import Bounds, Running
from listener.base.errors import ConfigError, ListenError, Unavailable
from listener.feishu.http_api import Api
from listener.feishu.transport import network_of
from listener.observe import clients
from listener.observe.clients import ClientsState, watching
from listener.settings import config
from listener.simulator import PlatformThread, faults
from listener.simulator.openapi import ONLINE_PATH, TOKEN_PATH
from tests.connection.listening import until


def settings(home: Path, domain: str, **feishu: object) -> config.Settings:
    lines = "".join(f"{name} = {value!r}\n" for name, value in feishu.items())
    (home / "config.toml").write_text(f"[feishu]\n{lines}\n[[sinks]]\nname = 'log'\ntype = 'log'\n")
    env = {"FEISHU_APP_ID": "cli_a5ca1ab1e0ddba11", "FEISHU_APP_SECRET": "demo-secret", "FEISHU_DOMAIN": domain}
    return config.load(home / "config.toml", env | {"STATE_DIRECTORY": str(home)})


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "FIRST", 0.05)
    monkeypatch.setattr(clients, "SURE", 0.05)


def test_the_platform_is_asked(tmp_path: Path, stand_in: PlatformThread) -> None:
    feishu = settings(tmp_path, stand_in.url).feishu
    stand_in.platform.api.online = lambda: 7
    assert 7 == Api(feishu, network_of(feishu)).online_clients()


@pytest.mark.parametrize("answer", [{"code": 0}, {"code": 0, "data": None}, {"code": 0, "data": {"online": 1}}])
def test_an_answer_without_a_count_is_none(tmp_path: Path, stand_in: PlatformThread, answer: object) -> None:
    feishu = settings(tmp_path, stand_in.url).feishu
    stand_in.platform.faults.api[ONLINE_PATH] = [faults.reply(answer)]
    with pytest.raises(Unavailable, match="does not say"):
        Api(feishu, network_of(feishu)).online_clients()


def test_throttled_the_daemon_does_not_wait(tmp_path: Path, stand_in: PlatformThread) -> None:
    feishu = settings(tmp_path, stand_in.url).feishu
    stand_in.platform.faults.api[TOKEN_PATH] = [faults.throttled(5)]
    began = time.monotonic()
    with pytest.raises(Unavailable, match="too many requests"):
        Api(feishu, network_of(feishu), patience=0).online_clients()
    assert time.monotonic() - began < 2


def test_it_asks_again_and_again_whatever_comes(capsys: pytest.CaptureFixture[str]) -> None:
    answers: list[int | ListenError] = [1, Unavailable("no way"), Unavailable("busy"), 3, 3, 1]
    state = ClientsState(expected=1)
    seen: list[tuple[int | None, bool, str | None]] = []
    done = threading.Event()

    def ask() -> int:
        seen.append((state.online, state.too_many, state.error))
        if not answers:
            done.set()
            return 1
        if isinstance(answer := answers.pop(0), ListenError):
            raise answer
        return answer

    async def main() -> None:
        async with watching(state, ask, every=0.01):
            assert await asyncio.to_thread(done.wait, 5)

    asyncio.run(main())
    expected = [
        (None, False, None),
        (1, False, None),
        (1, False, "no way"),
        (1, False, "busy"),
        (1, False, "busy"),  # too many, for the first time
        (3, True, None),
        (1, False, None),
    ]
    assert expected == seen[:7]
    assert 1 == capsys.readouterr().out.count("other clients of this app are online")


def test_once_refused_it_is_not_asked_again() -> None:
    state, asked = ClientsState(), 0

    def ask() -> int:
        nonlocal asked
        asked += 1
        raise ConfigError("no permission")

    async def main() -> None:
        watch = asyncio.ensure_future(clients.watch(state, ask, lambda: False, 0.001))
        await asyncio.wait_for(watch, 10)

    asyncio.run(main())
    assert (1, "no permission") == (asked, state.error)


def told_by_the_daemon(wanted: config.Settings) -> ClientsState:
    """What a daemon knows once the platform has answered; it is stopped then."""

    def stop_once_told(running: Running) -> None:
        asyncio.run(until(lambda: running.clients.online is not None, "the platform's answer"))
        running.stop()

    def in_a_thread(running: Running) -> None:
        threading.Thread(target=stop_once_told, args=[running]).start()

    return run(wanted, Bounds(seconds=30), on_built=in_a_thread).clients


def test_the_daemon_tells_of_a_second_client(
    tmp_path: Path, stand_in: PlatformThread, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in.platform.api.online = lambda: 2
    told = told_by_the_daemon(settings(tmp_path, stand_in.url))
    assert (2, True, None) == (told.online, told.too_many, told.error)
    assert told.checked_at is not None
    assert "other clients of this app are online" in capsys.readouterr().out


def test_as_many_as_expected_is_well(tmp_path: Path, stand_in: PlatformThread) -> None:
    stand_in.platform.api.online = lambda: 2
    told = told_by_the_daemon(settings(tmp_path, stand_in.url, expected_clients=2))
    assert (2, False) == (told.online, told.too_many)


def test_one_that_the_platform_still_counts_after_a_crash_is_no_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A machine that lost its power says no goodbye; its connection is counted until the platform's own pings fail."""
    state, answers, asked = ClientsState(expected=1), [2, 1], threading.Event()

    def ask() -> int:
        answer = answers.pop(0) if answers else 1
        if not answers:
            asked.set()
        return answer

    async def main() -> None:
        async with watching(state, ask):  # twice within the 12 hours
            assert await asyncio.to_thread(asked.wait, 5)
            await until(lambda: state.online is not None, "an answer is used")

    asyncio.run(main())
    assert (1, False) == (state.online, state.too_many)
    assert "other clients" not in capsys.readouterr().out


def test_a_renewal_is_not_counted_as_another_client(capsys: pytest.CaptureFixture[str]) -> None:
    """While two connections of this process overlap, the platform's answer of 2 is asked again."""
    state, answers, asked = ClientsState(expected=1), [2, 2, 1], threading.Event()

    def ask() -> int:
        answer = answers.pop(0)
        if not answers:
            asked.set()
        return answer

    async def main() -> None:
        async with watching(state, ask, lambda: bool(answers), again=0.01):
            assert await asyncio.to_thread(asked.wait, 5)
            await until(lambda: state.online is not None, "an answer is used")

    asyncio.run(main())
    assert (1, False) == (state.online, state.too_many)
    assert "other clients" not in capsys.readouterr().out
