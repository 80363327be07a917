"""A connection that answers pings and brings no events, as several projects report it: nobody is deaf for ever."""

import time
from itertools import count
from pathlib import Path

import pytest

from listener.simulator import PlatformThread, named_faults
from listener.sources.long_connection import LOOK
from listener.sources.silence import PAUSES, SHORTEST
from tests.daemon import Daemon
from tests.samples import encode, example

OFTEN = 0.25  # seconds between the events of a busy helpdesk
SLOW = '[feishu]\nrenew_every = "7d"\n[[sinks]]\nname = "out"\ntype = "stdout"\n'
CONFIG = '[feishu]\nrenew_every = "10s"\n[[sinks]]\nname = "out"\ntype = "stdout"\n'


@pytest.mark.slow
def test_a_zombie_is_replaced_within_two_periods(tmp_path: Path) -> None:
    with PlatformThread() as stand_in:
        named_faults.apply(("zombie",), stand_in.platform.faults)
        with Daemon(tmp_path, domain=stand_in.url, config=CONFIG) as daemon:
            daemon.ready()
            delivery = stand_in.call(stand_in.platform.push, encode(example("through-the-second")))
            daemon.until(lambda: daemon.records, "its record", within=20)
            assert 1 == delivery.pushes
            assert ["through-the-second"] == [record["event_id"] for record in daemon.records]
            assert daemon.said("connection renewed")
            assert not daemon.said("connection lost")
            assert 0 == daemon.stop()


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_busy_connection_that_turns_into_one_is_replaced_long_before_its_period_is_over(tmp_path: Path) -> None:
    numbers = count()

    def push(stand_in: PlatformThread) -> None:
        stand_in.call(stand_in.platform.push, encode(example(f"e{next(numbers)}")))

    with PlatformThread() as stand_in, Daemon(tmp_path, domain=stand_in.url, config=SLOW) as daemon:
        daemon.ready()
        until = time.monotonic() + (PAUSES + 5) * LOOK
        while time.monotonic() < until:
            push(stand_in)
            time.sleep(OFTEN)
        stand_in.call(stand_in.platform.zombify)
        push(stand_in)
        daemon.until(lambda: daemon.said("connection renewed"), "another connection", within=SHORTEST + 60)
        last = f"e{next(numbers) - 1}"
        daemon.until(lambda: daemon.records[-1]["event_id"] == last, "what the old one did not bring", within=30)
        assert daemon.said("unusually long without an event")
