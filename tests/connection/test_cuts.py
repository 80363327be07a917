"""Fifty cuts while events are pushed: each event once in the file, and the daemon holds no more than before."""

import asyncio
import json
import os
import random
import signal
import ssl
import sys
from collections import Counter
from pathlib import Path

import pytest

from listener.simulator import Delivery, Link, PlatformThread
from tests.connection.listening import PROMPT, event
from tests.daemon import Daemon

ENV = {"PYTHONPATH": os.pathsep.join(sys.path)}  # this tree, and what tests.newest put before what is installed
WARM, EVENTS = 20_000, 100  # before the cuts, which fills what is bounded (newest events, page caches); for each cut
CONFIG = """
[[sinks]]
name = "archive"
type = "file"
path = "tickets.jsonl"
fsync = "never"
"""


async def pushed(stand_in: PlatformThread, first: int, count: int, seconds: float) -> None:
    """That many events, evenly over that time, until the last is acked."""
    deliveries: list[Delivery] = []
    for number in range(first, first + count):
        deliveries.append(stand_in.platform.push(event(number)))
        if number % 10 == 0:
            await asyncio.sleep(10 * seconds / count)
    for delivery in deliveries:
        await delivery.acked(60)


async def cut(link: Link, times: int, seconds: float) -> None:
    """That many cuts at random moments."""
    for _ in range(times):
        await asyncio.sleep(random.uniform(0, 2 * seconds / times))
        await link.cut(random.choice(["reset", "fin"]))


async def both(stand_in: PlatformThread, link: Link, first: int, count: int, cuts: int) -> None:
    """Events and cuts together, one event that is cut off before its ack, and one more, by which all is quiet again."""
    seconds = cuts * 0.5
    async with asyncio.TaskGroup() as work:
        work.create_task(pushed(stand_in, first, count - 2, seconds))
        work.create_task(cut(link, cuts, seconds))
    await stand_in.platform.connected()
    again = stand_in.platform.push(event(first + count - 2))
    await link.cut("reset")
    await again.acked(60)
    await pushed(stand_in, first + count - 1, 1, 0)


def held(daemon: Daemon, times: int) -> dict[str, int]:
    """What the daemon says that it holds, when asked for the nth time."""
    daemon.signal(signal.SIGUSR1)
    daemon.until(lambda: daemon.said("counted {") == times, "its count")
    line = [line for line in daemon.stderr if line.startswith("counted {")][-1]
    found: dict[str, int] = json.loads(line.removeprefix("counted "))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("cuts", [20, pytest.param(50, marks=pytest.mark.long)])
def test_cuts_lose_nothing_double_nothing_and_leak_nothing(tmp_path: Path, cuts: int) -> None:
    few, many = cuts // 5, cuts - cuts // 5
    program = (sys.executable, "-m", "tests.connection.counted")
    with PlatformThread(schedule=(0.1,) * 100) as stand_in:
        stand_in.platform.gateway.client_config = dict(PROMPT)
        link = Link(stand_in.platform.host, stand_in.platform.port)
        stand_in.call(link.start)
        with Daemon(tmp_path, domain=link.url, config=CONFIG, env=ENV, program=program) as daemon:
            daemon.ready()
            stand_in.call(pushed, stand_in, 0, WARM, 5)
            stand_in.call(both, stand_in, link, WARM, EVENTS * few, few)
            before = held(daemon, 1)
            stand_in.call(both, stand_in, link, WARM + EVENTS * few, EVENTS * many, many)
            after = held(daemon, 2)
            assert 0 == daemon.stop()
        stand_in.call(link.close)
        assert 0 < stand_in.platform.dispatcher.counts["redelivered"]
        assert cuts < link.accepted
    growth = after.pop("kib") - before.pop("kib")
    print(f"held {after}, {growth} KiB more")
    lines = (tmp_path / "logs" / "tickets.jsonl").read_text("utf-8").splitlines()
    found = Counter(json.loads(line)["event_id"] for line in lines)
    assert Counter(str(number) for number in range(WARM + EVENTS * cuts)) == found
    assert before == after
    assert growth <= 2048


@pytest.mark.slow
def test_lost_tls_connections_leave_nothing(tmp_path: Path, authority: Path, inspected: ssl.SSLContext) -> None:
    """Each leaves a megabyte in cycles, of so few objects that Python would let them pile up."""
    program = (sys.executable, "-m", "tests.connection.counted")
    config = f'[feishu]\nca_file = "{authority}/ca.pem"\n{CONFIG}'
    with PlatformThread(tls=inspected) as stand_in:
        stand_in.platform.gateway.client_config = dict(PROMPT)
        with Daemon(tmp_path, domain=stand_in.url, config=config, env=ENV, program=program) as daemon:
            daemon.ready()
            lose(stand_in, 0, 10)
            before = held(daemon, 1)
            lose(stand_in, 10, 50)
            after = held(daemon, 2)
            assert 0 == daemon.stop()
    growth = after["kib"] - before["kib"]
    print(f"{growth} KiB more")
    assert growth <= 4096


def lose(stand_in: PlatformThread, first: int, times: int) -> None:
    """That many connections, each of which has brought an event."""
    for number in range(first, first + times):
        stand_in.call(stand_in.platform.connected)
        delivery = stand_in.call(stand_in.platform.push, event(number))
        stand_in.call(delivery.acked)
        stand_in.call(stand_in.platform.cut)
