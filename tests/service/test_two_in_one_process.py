"""Two listeners of different apps in one process and one event loop: each has its own events, and its own end."""

import asyncio
import gc
import json
import logging
import signal
import sys
from pathlib import Path

from listener.app.daemon import opened
from listener.app.running import Running
from listener.settings.config import Settings, load
from listener.simulator import PlatformThread
from tests.lines import whole_lines
from tests.samples import encode, example

WAIT = 20.0  # seconds
APPS = ("cli_a5ca1ab1e0ddba11", "cli_0123456789abcdef")
CONFIG = '[[sinks]]\nname = "archive"\ntype = "file"\npath = "tickets.jsonl"\n'


def settings(home: Path, app_id: str, domain: str) -> Settings:
    home.mkdir()
    (home / "config.toml").write_text(CONFIG)
    (home / "config.toml").chmod(0o600)
    env = {"FEISHU_APP_ID": app_id, "FEISHU_APP_SECRET": "demo-secret", "FEISHU_DOMAIN": domain}
    return load(home / "config.toml", env | {"STATE_DIRECTORY": str(home), "LOGS_DIRECTORY": str(home)})


def ids(home: Path) -> list[str]:
    file = home / "tickets.jsonl"
    return [json.loads(line)["event_id"] for line in whole_lines(file)]


async def until(home: Path, expected: list[str]) -> None:
    async with asyncio.timeout(WAIT):
        while ids(home) != expected:  # noqa: ASYNC110 a thread writes them
            await asyncio.sleep(0.01)


def of_the_process() -> list[object]:
    """What a library must leave as it is."""
    signals = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]
    return [sys.getswitchinterval(), gc.get_threshold(), list(logging.getLogger().handlers), signals]


def test_each_gets_its_own_and_one_goes_on_when_the_other_stops(tmp_path: Path) -> None:
    homes = [tmp_path / "one", tmp_path / "two"]
    with PlatformThread() as first, PlatformThread() as second:
        stand_ins = [first, second]
        second.platform.gateway.credentials[APPS[1]] = "demo-secret"
        wanted = [settings(*one) for one in zip(homes, APPS, [s.url for s in stand_ins], strict=True)]

        async def push(number: int, event_id: str) -> None:
            await asyncio.to_thread(stand_ins[number].call, stand_ins[number].platform.push, encode(example(event_id)))

        async def main() -> None:
            running: list[Running] = [Running(one, journal) for one, journal in zip(wanted, journals, strict=True)]
            runs = [asyncio.ensure_future(one.run()) for one in running]
            for number in (0, 1):
                await push(number, f"of {number}")
                await until(homes[number], [f"of {number}"])
            running[0].stop()
            await runs[0]
            await push(1, "later")
            await until(homes[1], ["of 1", "later"])
            running[1].stop()
            await runs[1]
            assert [1, 2] == [one.delivered for one in running]

        with opened(wanted[0]) as one, opened(wanted[1]) as two:
            journals = [one, two]
            before = of_the_process()
            asyncio.run(main())
        assert before == of_the_process()
        assert ["of 0"] == ids(homes[0])
