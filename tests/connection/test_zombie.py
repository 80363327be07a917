"""A connection that answers pings and brings no events, as several projects report it: nobody is deaf for ever."""

from pathlib import Path

import pytest

from listener.simulator import PlatformThread, named
from tests.daemon import Daemon
from tests.samples import encode, example

CONFIG = '[feishu]\nrenew_every = "10s"\n[[sinks]]\nname = "out"\ntype = "stdout"\n'


@pytest.mark.slow
def test_a_zombie_is_replaced_within_two_periods(tmp_path: Path) -> None:
    with PlatformThread() as stand_in:
        named.apply(("zombie",), stand_in.platform.faults)
        with Daemon(tmp_path, domain=stand_in.url, config=CONFIG) as daemon:
            daemon.ready()
            delivery = stand_in.call(stand_in.platform.push, encode(example("through-the-second")))
            daemon.until(lambda: daemon.records, "its record", within=20)
            assert 1 == delivery.pushes
            assert ["through-the-second"] == [record["event_id"] for record in daemon.records]
            assert daemon.said("connection renewed")
            assert not daemon.said("connection lost")
            assert 0 == daemon.stop()
