"""Standard output as one sink of two: what its reader does is nobody else's problem."""

import json
import os
import select
from pathlib import Path

import pytest

from listener.simulator import PlatformThread
from listener.simulator.flood import default_payload
from tests.daemon import Daemon

CONFIG = '[[sinks]]\nname = "archive"\ntype = "file"\npath = "out.jsonl"\n'
BOTH = CONFIG + '[[sinks]]\nname = "stdout"\ntype = "stdout"\n'


def archived(home: Path) -> int:
    file = home / "logs" / "out.jsonl"
    return file.read_bytes().count(b"\n") if file.exists() else 0


def push(stand_in: PlatformThread, first: int, count: int) -> None:
    stand_in.call(stand_in.platform.flood, count, 16, lambda index: default_payload(first + index))


def test_a_reader_that_goes_away_ends_only_that_sink(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    with (
        PlatformThread() as stand_in,
        Daemon(tmp_path, domain=stand_in.url, config=BOTH, stdout=writer) as daemon,
        open(reader, "rb") as lines,
    ):
        os.close(writer)
        daemon.ready()
        push(stand_in, 0, 1)
        assert f"{0:032x}" == json.loads(lines.readline())["event_id"]
        lines.close()
        daemon.until(lambda: daemon.said("other end was closed"), "it is noticed")
        push(stand_in, 1, 200)
        daemon.until(lambda: archived(tmp_path) == 201, "the other has all")
        assert None is daemon.rc
        assert 0 == daemon.stop()


@pytest.mark.slow
def test_a_reader_that_does_not_read_delays_nobody_and_gets_nothing_twice(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    with PlatformThread() as stand_in, Daemon(tmp_path, domain=stand_in.url, config=BOTH, stdout=writer) as daemon:
        os.close(writer)
        daemon.ready()
        push(stand_in, 0, 500)
        daemon.until(lambda: archived(tmp_path) == 500, "the other has all")
        assert 0 == daemon.stop()
    got = b""
    while select.select([reader], [], [], 0)[0] and (more := os.read(reader, 1 << 20)):
        got += more
    os.close(reader)
    first = [json.loads(line)["event_id"] for line in got.splitlines()]
    assert [f"{n:032x}" for n in range(len(first))] == first

    with Daemon(tmp_path, domain="http://127.0.0.1:1") as again:  # it goes on where it was
        again.until(lambda: len(again.stdout) == 500 - len(first), "the rest")
        assert f"{499:032x}" == again.records[-1]["event_id"]
