"""A journal on a disk of its own that runs full, and what readiness says of it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from listener.simulator import PlatformThread
from tests.daemon import Daemon
from tests.service.manager import Manager, free_port, get
from tests.small_disk import SmallDisk, small_disk

TYPE = "helpdesk.ticket_message.created_v1"
CONFIG = """
[http]
listen = "127.0.0.1:{port}"
[[sinks]]
name = "archive"
type = "file"
path = "tickets.jsonl"
"""


@pytest.fixture
def state(tmp_path: Path) -> Iterator[SmallDisk]:
    """The state directory."""
    with small_disk(tmp_path / "state", "8m") as disk:
        yield disk


@pytest.mark.slow
def test_a_full_disk_is_told_and_so_is_room(
    tmp_path: Path, state: SmallDisk, stand_in: PlatformThread, manager: Manager
) -> None:
    port = free_port()
    with Daemon(tmp_path, domain=stand_in.url, config=CONFIG.format(port=port), env=manager.env(10.0)) as daemon:
        daemon.ready()
        state.fill()
        daemon.until(lambda: "disk is full" in get(port, "/readyz")[1], "the full disk", within=5.0)
        pushed = [
            stand_in.call(
                stand_in.platform.push,
                {"header": {"event_id": f"e{n}", "event_type": TYPE}, "event": {"x": os.urandom(30_000).hex()}},
            )
            for n in range(20)
        ]
        daemon.until(lambda: 'acks_total{code="500"} 0.0' not in get(port, "/metrics")[1], "a refusal")
        assert (503, 200) == (get(port, "/readyz")[0], get(port, "/healthz")[0])
        assert "helpdesk_listen_journal_writable 0.0" in get(port, "/metrics")[1]
        daemon.until(lambda: "disk" in manager.status, "the reason in STATUS")
        assert manager.count("WATCHDOG=1") > 0, "an error is an answer: a restart would mend nothing"

        state.empty()
        daemon.until(lambda: get(port, "/readyz")[0] == 200, "ready again", within=5.0)
        for delivery in pushed:
            stand_in.call(delivery.acked)
        daemon.until(lambda: 20 == len((tmp_path / "logs" / "tickets.jsonl").read_text().splitlines()), "all 20")
