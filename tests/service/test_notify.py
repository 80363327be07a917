"""What systemd is told, by a daemon in a process of its own."""

import signal
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from listener.simulator import PlatformThread
from listener.simulator.faults import BUSY, REFUSED_CREDENTIAL
from tests.daemon import Daemon
from tests.service.manager import Manager

# The daemon with a loop that SIGUSR1 freezes: a signal handler of Python runs in the loop's own thread.
FREEZABLE = """
import signal, time
signal.signal(signal.SIGUSR1, lambda *_: time.sleep(60))
from listener.cli.main import main
main()
"""


def test_ready_when_connected_and_stopping_at_the_end(
    tmp_path: Path, stand_in: PlatformThread, manager: Manager
) -> None:
    with Daemon(tmp_path, domain=stand_in.url, env=manager.env()) as daemon:
        daemon.until(lambda: manager.count("READY=1"), "READY")
        assert 1 == stand_in.call(lambda: len(stand_in.platform.connections))
        assert manager.status.startswith("connected since ")
        assert 0 == daemon.stop()
    assert (1, 1) == (manager.count("READY=1"), manager.count("STOPPING=1"))


def test_ready_after_a_first_failure_that_may_pass(tmp_path: Path, stand_in: PlatformThread, manager: Manager) -> None:
    stand_in.platform.faults.endpoint += [BUSY] * 1000
    with Daemon(tmp_path, domain=stand_in.url, env=manager.env()) as daemon:
        daemon.until(lambda: manager.count("READY=1"), "READY")
        daemon.until(lambda: "busy" in manager.status, "the reason in STATUS")
        assert manager.status.startswith("not connected since ")
        stand_in.platform.faults.endpoint.clear()
        daemon.until(lambda: manager.status.startswith("connected since "), "connected in STATUS")
    assert 1 == manager.count("READY=1")


def test_never_ready_with_credentials_that_are_refused(
    tmp_path: Path, stand_in: PlatformThread, manager: Manager
) -> None:
    stand_in.platform.faults.endpoint += [REFUSED_CREDENTIAL]
    with Daemon(tmp_path, domain=stand_in.url, env=manager.env(watchdog=1.0)) as daemon:
        assert 78 == daemon.wait()
    assert 0 == manager.count("READY=1")


@pytest.mark.slow
def test_the_status_tells_of_a_loss_and_of_the_return(
    tmp_path: Path, stand_in: PlatformThread, manager: Manager
) -> None:
    with Daemon(tmp_path, domain=stand_in.url, env=manager.env()) as daemon:
        daemon.ready()
        port = stand_in.platform.port
        stand_in.call(stand_in.platform.close)
        daemon.until(lambda: manager.status.startswith("not connected since "), "the loss in STATUS")
        stand_in.call(stand_in.platform.start, "127.0.0.1", port)
        returned = time.monotonic()
        daemon.until(lambda: manager.status.startswith("connected since "), "the return in STATUS")
        assert time.monotonic() - returned < 5.0


@pytest.mark.slow
def test_the_watchdog_is_fed_in_time(tmp_path: Path, stand_in: PlatformThread, manager: Manager) -> None:
    with Daemon(tmp_path, domain=stand_in.url, env=manager.env(watchdog=1.0)) as daemon:
        daemon.until(lambda: manager.count("WATCHDOG=1") >= 4, "four signs of life")
        assert 0 == daemon.stop()
    fed = [at for at, message in manager.heard if message == "WATCHDOG=1"]
    assert max(later - earlier for earlier, later in pairwise(fed)) < 1.0


@pytest.mark.slow
def test_a_frozen_loop_feeds_no_watchdog(tmp_path: Path, stand_in: PlatformThread, manager: Manager) -> None:
    program = (sys.executable, "-c", FREEZABLE)
    with Daemon(tmp_path, domain=stand_in.url, env=manager.env(watchdog=0.2), program=program) as daemon:
        daemon.ready()
        daemon.until(lambda: manager.count("WATCHDOG=1") >= 3, "signs of life")
        daemon.signal(signal.SIGUSR1)
        _until_quiet(daemon, manager)
        assert daemon.rc is None


def _until_quiet(daemon: Daemon, manager: Manager, seconds: float = 1.0) -> None:
    """No sign of life for five times as long as systemd would wait."""
    daemon.until(lambda: time.monotonic() - manager.heard[-1][0] > seconds, "silence", within=5.0)
