"""`status` against a daemon that runs, hangs, is stopped, and never was."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from listener.journal.inspect import holder
from listener.simulator import PlatformThread, conversation
from tests.daemon import Daemon, environment

CONFIG = """
[[sinks]]
name = "archive"
type = "file"
path = "tickets.jsonl"
"""


@dataclass
class Answer:
    """What `status` said, and how many seconds it took."""

    rc: int
    out: str
    seconds: float

    @property
    def is_prompt(self) -> bool:
        """Within 2 s, of which a start of Python may take one; on a busy machine as much as it takes there now."""
        began = time.monotonic()
        subprocess.run([sys.executable, "-m", "listener", "--version"], capture_output=True, check=True)
        return self.seconds < 1.0 + max(1.0, time.monotonic() - began)

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def _status(home: Path, domain: str, *arguments: str) -> Answer:
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "listener", "status", *arguments],
        cwd=home,
        env=environment(home, domain),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "" == done.stderr
    return Answer(done.returncode, done.stdout, time.monotonic() - began)


def test_a_running_daemon(tmp_path: Path, stand_in: PlatformThread) -> None:
    with Daemon(tmp_path, domain=stand_in.url, config=CONFIG) as daemon:
        daemon.ready()
        for event, _ in zip(conversation(), range(5), strict=False):
            stand_in.call(stand_in.call(stand_in.platform.push, event).acked)
        daemon.until(lambda: 5 == len((tmp_path / "logs" / "tickets.jsonl").read_text().splitlines()), "five lines")
        answer = _status(tmp_path, stand_in.url, "--json")
        told = answer.json
        assert 0 == answer.rc
        assert answer.is_prompt
        assert ("running", True, [], daemon.pid) == (told["state"], told["ready"], told["problems"], told["pid"])
        assert ("connected", 1) == (told["connection"]["phase"], told["connection"]["connections"])
        assert {"200": 5, "500": 0} == told["events"]["acks"]
        assert 0.0 < told["events"]["ack_p99_seconds"] < 2.5
        assert (5, None) == (told["journal"]["last_seq"], told["journal"]["failing"])
        assert ("archive", 0, 5) == tuple(told["sinks"][0][key] for key in ("name", "lag", "delivered"))
        assert _status(tmp_path, stand_in.url).out.startswith("ready: helpdesk-listen ")
        assert 0 == daemon.stop()
    stopped = _status(tmp_path, stand_in.url)
    assert (3, "not running") == (stopped.rc, stopped.out.split("\n")[0])
    assert stopped.is_prompt
    assert not (tmp_path / "state" / "helpdesk.db.sock").exists()


def test_one_that_is_not_connected_is_degraded_and_says_since_when(tmp_path: Path, stand_in: PlatformThread) -> None:
    with Daemon(tmp_path, domain=stand_in.url, config=CONFIG) as daemon:
        daemon.ready()
        stand_in.call(stand_in.platform.close)
        daemon.until(lambda: daemon.said("connection lost"), "the loss")
        answer = _status(tmp_path, stand_in.url, "--json")
    assert 1 == answer.rc
    assert not answer.json["ready"]
    assert answer.json["problems"][0].startswith("not connected since 20")
    assert answer.json["connection"]["lost_because"]


def test_one_that_hangs(tmp_path: Path, stand_in: PlatformThread) -> None:
    with Daemon(tmp_path, domain=stand_in.url, config=CONFIG) as daemon:
        daemon.ready()
        daemon.signal(signal.SIGSTOP)
        answer = _status(tmp_path, stand_in.url)
        daemon.signal(signal.SIGCONT)
        assert 1 == answer.rc
        assert answer.is_prompt
        assert answer.out.startswith(f"the daemon runs, but does not answer (pid {daemon.pid})\n")


def test_one_that_was_killed_with_something_left_to_deliver(tmp_path: Path, stand_in: PlatformThread) -> None:
    (tmp_path / "logs" / "tickets.jsonl").mkdir(parents=True)  # a sink that can't open its file
    with Daemon(tmp_path, domain=stand_in.url, config=CONFIG) as daemon:
        daemon.ready()
        stand_in.call(stand_in.call(stand_in.platform.push, next(iter(conversation()))).acked)
        daemon.kill()
    assert (tmp_path / "state" / "helpdesk.db.sock").exists()
    answer = _status(tmp_path, stand_in.url, "--json")
    assert 3 == answer.rc
    assert answer.is_prompt
    assert ("stopped", ["not running"], None) == (answer.json["state"], answer.json["problems"], answer.json["pid"])
    sink = answer.json["sinks"][0]
    assert ("archive", 1) == (sink["name"], sink["lag"])
    assert 0.0 <= sink["oldest_undelivered_seconds"] < 60.0


def test_one_that_never_was(tmp_path: Path) -> None:
    answer = _status(tmp_path, "http://127.0.0.1:1")
    assert 3 == answer.rc
    assert answer.is_prompt
    assert "never ran" in answer.out
    assert not (tmp_path / "state").exists()


@pytest.mark.slow
def test_in_a_directory_too_deep_for_a_sockets_address(tmp_path: Path, stand_in: PlatformThread) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    with Daemon(deep, domain=stand_in.url, config=CONFIG) as daemon:
        daemon.ready()
        assert 0 == _status(deep, stand_in.url).rc
        socket = deep / "state" / "helpdesk.db.sock"
        assert 0o660 == stat.S_IMODE(os.stat(socket).st_mode), "owner and group, and nobody else"


@pytest.mark.slow
def test_watching_goes_on_until_it_is_stopped(tmp_path: Path, stand_in: PlatformThread) -> None:
    with Daemon(tmp_path, domain=stand_in.url, config=CONFIG) as daemon:
        daemon.ready()
        with Daemon(tmp_path, "status", "--watch", "--json", domain=stand_in.url) as watching:
            watching.until(lambda: len(watching.stdout) >= 2, "a second look")
            watching.signal(signal.SIGINT)
            assert 130 == watching.wait()
        assert {"running"} == {record["state"] for record in watching.records}


def test_a_pipe_in_the_locks_place_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "helpdesk.db.lock")
    assert holder(tmp_path / "helpdesk.db") is None
