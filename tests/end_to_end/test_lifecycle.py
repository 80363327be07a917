"""From start to stop: one line per event whatever happens, clean ends, exit codes, and stdout for records only."""

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from listener.simulator import PlatformThread
from tests import samples
from tests.daemon import Daemon, environment


def push(stand_in: PlatformThread, event_id: str) -> int | None:
    code: int | None = stand_in.call(stand_in.call(stand_in.platform.push, samples.example(event_id)).acked).code
    return code


def test_the_same_event_five_times_is_one_line(stand_in: PlatformThread, tmp_path: Path) -> None:
    config = '[[sinks]]\nname = "f"\ntype = "file"\npath = "f.jsonl"\n'
    codes = []
    with Daemon(tmp_path, domain=stand_in.url, config=config) as daemon:
        daemon.ready()
        codes += [push(stand_in, "same"), push(stand_in, "same")]
        stand_in.call(stand_in.platform.cut)
        codes.append(push(stand_in, "same"))
        assert 0 == daemon.stop()
    with Daemon(tmp_path, domain=stand_in.url, config=config) as daemon:
        daemon.ready()
        codes += [push(stand_in, "same"), push(stand_in, "same")]
        assert 0 == daemon.stop()
    assert [200] * 5 == codes
    assert 1 == len((tmp_path / "logs" / "f.jsonl").read_text(encoding="utf-8").splitlines())


@contextmanager
def unread_pipe() -> Iterator[IO[bytes]]:
    reading, writing = os.pipe()
    with open(reading, "rb"), open(writing, "wb") as stdout:
        yield stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_closes_the_connection_cleanly(number: int, stand_in: PlatformThread, tmp_path: Path) -> None:
    with Daemon(tmp_path, domain=stand_in.url) as daemon:
        daemon.ready()
        push(stand_in, "one")
        daemon.signal(number)
        assert 0 == daemon.wait(within=5)
    assert 1 == len(daemon.records)
    assert [1000] == [code for _, code, _ in stand_in.platform.clean_closes]


def test_a_slow_reader_does_not_hold_up_the_stop(stand_in: PlatformThread, tmp_path: Path) -> None:
    """The pipe is full and nobody reads: what is journalled waits for the next start, the stop does not."""
    with unread_pipe() as stdout, Daemon(tmp_path, domain=stand_in.url, stdout=stdout) as daemon:
        daemon.ready()
        stand_in.call(stand_in.platform.flood, 300, 64)
        daemon.signal()
        assert 0 == daemon.wait(within=5)


def test_a_second_signal_ends_it_at_once(stand_in: PlatformThread, tmp_path: Path) -> None:
    with unread_pipe() as stdout, Daemon(tmp_path, domain=stand_in.url, stdout=stdout) as daemon:
        daemon.ready()
        stand_in.call(stand_in.platform.flood, 300, 64)
        daemon.signal()
        daemon.until(lambda: daemon.said("stopping"), "the first signal's line")
        daemon.signal()
        assert -signal.SIGTERM == daemon.wait(within=1)


def test_a_closed_terminal_stops_it(stand_in: PlatformThread, tmp_path: Path) -> None:
    """A closed ssh window sends SIGHUP to what has it as its controlling terminal."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(tmp_path)
        with open("stderr", "wb") as stderr:
            os.dup2(stderr.fileno(), 2)
        os.execve(sys.executable, [sys.executable, "-m", "listener", "start"], environment(tmp_path, stand_in.url))
    stand_in.call(stand_in.platform.connected)
    os.close(terminal)
    until = time.monotonic() + 5
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0):
        assert time.monotonic() < until, (tmp_path / "stderr").read_text(encoding="utf-8")
    assert 0 == os.waitstatus_to_exitcode(ended[1])


def test_head_ends_it_cleanly(stand_in: PlatformThread, tmp_path: Path) -> None:
    """Before, and without, a further event."""
    reading, writing = os.pipe()
    with Daemon(tmp_path, domain=stand_in.url, stdout=writing) as daemon:
        os.close(writing)
        with open(reading, "rb") as pipe:
            daemon.ready()
            for number in range(3):
                push(stand_in, f"event-{number}")
            assert 3 == sum(1 for _, line in zip(range(3), pipe, strict=False) if line.startswith(b'{"event_id"'))
        assert 0 == daemon.wait(within=5)


def test_bounded_runs(stand_in: PlatformThread, tmp_path: Path) -> None:
    with Daemon(tmp_path, "start", "--max-events", "2", domain=stand_in.url) as daemon:
        daemon.ready()
        push(stand_in, "event-0")
        push(stand_in, "event-1")
        stand_in.call(stand_in.platform.push, samples.example("event-2"))
        assert 0 == daemon.wait()
    assert ["event-0", "event-1"] == [record["event_id"] for record in daemon.records]
    with Daemon(tmp_path, "start", "--for", "3s", domain=stand_in.url) as daemon:
        assert 0 == daemon.wait()
    assert ["event-2"] == [record["event_id"] for record in daemon.records]  # kept, or pushed again, for the next start


def test_never_connected_within_its_time(tmp_path: Path) -> None:
    with Daemon(tmp_path, "start", "--for", "1s", domain="http://127.0.0.1:1") as daemon:
        assert 69 == daemon.wait()
    assert 1 == daemon.said("not connected within 1 s")


def test_wrong_credentials(stand_in: PlatformThread, tmp_path: Path) -> None:
    with Daemon(tmp_path, domain=stand_in.url, env={"FEISHU_APP_SECRET": "wrong-secret"}) as daemon:
        assert 78 == daemon.wait(within=5)
    assert 1 == daemon.said("helpdesk-listen: ")
    assert 1 <= daemon.said("1000040345")
    assert 0 == daemon.said("wrong-secret")


def test_a_broken_config_touches_nothing(stand_in: PlatformThread, tmp_path: Path) -> None:
    config = '[feishu]\ndomian = "x"\n[[sinks]]\nname = "a"\ntype = "flie"\n[journal]\nkeep = "7 moons"\n'
    with Daemon(tmp_path, domain=stand_in.url, config=config) as daemon:
        assert 78 == daemon.wait(within=5)
    assert [] == list(stand_in.platform.endpoint_calls)
    assert [] == [*(tmp_path / "state").iterdir(), *(tmp_path / "logs").iterdir()]
    for wrong in ("domian", "flie", "journal.keep"):
        assert 1 == daemon.said(wrong)


@pytest.mark.parametrize("style", ["json", "console"])
def test_nothing_leaks_and_stdout_is_data(style: str, stand_in: PlatformThread, tmp_path: Path) -> None:
    config = f'[log]\nlevel = "debug"\nformat = "{style}"\n'
    with Daemon(tmp_path, domain=stand_in.url, config=config) as daemon:
        daemon.ready()
        push(stand_in, "one")
        stand_in.call(stand_in.platform.cut)
        daemon.ready(times=2)
        push(stand_in, "two")
        assert 0 == daemon.stop()
    assert ["one", "two"] == [record["event_id"] for record in daemon.records]
    secrets = ["demo-secret", samples.example()["header"]["token"], *stand_in.platform.gateway.secrets]
    everything = "\n".join(daemon.stdout + daemon.stderr)
    assert [] == [secret for secret in secrets if secret and secret in everything]


def test_demo_shows_the_main_job(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "listener", "demo", "--count", "6", "--rate", "100"],
        cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    assert 6 == len(run.stdout.splitlines())
    for word in ("connected", "duplicate", "cut", "back after"):
        assert word in run.stderr
    assert [] == [path for path in tmp_path.rglob("*") if path.is_file()]
