"""SIGTERM ends the daemon with 0 within 5 s, whatever it is doing; a second one at once; SIGHUP with its terminal."""

import os
import pty
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from listener.simulator import Link, PlatformThread, faults
from tests.connection.listening import event
from tests.daemon import PROGRAM, Daemon, environment

STOPPED = 5.0  # s
HUNG_LOOKUP = """
import socket, threading
def hang(*_, **__):
    print("resolving", file=__import__("sys").stderr, flush=True)
    threading.Event().wait()
socket.getaddrinfo = hang
from listener.cli.main import main
main()
"""


@contextmanager
def black_hole(stand_in: PlatformThread) -> Iterator[Link]:
    """A port that accepts and swallows."""
    link = Link()
    link.blackhole = True
    stand_in.call(link.start)
    try:
        yield link
    finally:
        stand_in.call(link.close)


def stopped(daemon: Daemon) -> tuple[int, bool]:
    """(exit code, whether it was in time) of a SIGTERM now."""
    begun = time.monotonic()
    code = daemon.stop(2 * STOPPED)
    return code, time.monotonic() - begun < STOPPED


def test_while_resolving(tmp_path: Path) -> None:
    program = (sys.executable, "-c", HUNG_LOOKUP)
    with Daemon(tmp_path, domain="https://open.feishu.cn", program=program) as daemon:
        daemon.until(lambda: daemon.said("resolving"), "it resolves")
        assert (0, True) == stopped(daemon)


@pytest.mark.parametrize(
    ("leg", "scheme"),
    [
        ("endpoint", "http"),
        pytest.param("socket", "https", marks=pytest.mark.slow),
        pytest.param("endpoint", "https", marks=pytest.mark.slow),
        pytest.param("socket", "http", marks=pytest.mark.slow),
    ],
)
def test_while_the_platform_says_nothing(leg: str, scheme: str, tmp_path: Path) -> None:
    """With https it is the TLS handshake that never ends."""
    with PlatformThread() as stand_in, black_hole(stand_in) as link:
        socket_scheme = {"http": "ws", "https": "wss"}[scheme]
        stand_in.platform.gateway.url = f"{socket_scheme}://127.0.0.1:{link.port}/ws/v2?device_id=1&service_id=1"
        domain = f"{scheme}://127.0.0.1:{link.port}" if leg == "endpoint" else stand_in.url
        with Daemon(tmp_path, domain=domain) as daemon:
            daemon.until(lambda: link.accepted, "it waits for an answer")
            assert (0, True) == stopped(daemon)


def test_while_handshaking(tmp_path: Path) -> None:
    with PlatformThread() as stand_in:
        stand_in.platform.faults.handshake.append(faults.HANG)
        with Daemon(tmp_path, domain=stand_in.url) as daemon:
            daemon.until(lambda: stand_in.platform.handshakes, "it waits for an answer")
            assert (0, True) == stopped(daemon)


@pytest.mark.parametrize(
    "mood", ["serve", *(pytest.param(mood, marks=pytest.mark.slow) for mood in ("silent", "deaf"))]
)
def test_while_connected(mood: faults.Mood, tmp_path: Path) -> None:
    with PlatformThread() as stand_in, Daemon(tmp_path, domain=stand_in.url) as daemon:
        daemon.ready()
        stand_in.platform.faults.connected = mood
        assert (0, True) == stopped(daemon)
        closes = [code for _, code, _ in stand_in.platform.clean_closes]
        assert ([1000] if mood == "serve" else []) == closes


@pytest.mark.slow
def test_while_backing_off(tmp_path: Path) -> None:
    with Daemon(tmp_path, domain="http://127.0.0.1:1") as daemon:
        daemon.until(lambda: daemon.said("cannot connect"), "it waits")
        assert (0, True) == stopped(daemon)


@contextmanager
def full_pipe() -> Iterator[int]:
    """The writing end of a pipe that nobody reads and that takes nothing more."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    while select.select([], [writing], [], 0)[1]:
        os.write(writing, b"x" * 4096)
    os.set_blocking(writing, True)
    try:
        yield writing
    finally:
        os.close(reading)
        os.close(writing)


@contextmanager
def with_a_sink_that_hangs(home: Path) -> Iterator[tuple[PlatformThread, Daemon]]:
    """A daemon that has acked an event and can't write it to standard output."""
    with full_pipe() as pipe, PlatformThread() as stand_in, Daemon(home, domain=stand_in.url, stdout=pipe) as daemon:
        daemon.ready()
        stand_in.call(stand_in.call(stand_in.platform.push, event(1)).acked)
        yield stand_in, daemon


@pytest.mark.slow
@pytest.mark.parametrize("mood", ["serve", "silent"])
def test_while_draining_into_a_sink_that_hangs(mood: faults.Mood, tmp_path: Path) -> None:
    """And with a peer that does not answer the goodbye either."""
    with with_a_sink_that_hangs(tmp_path) as (stand_in, daemon):
        stand_in.platform.faults.connected = mood
        assert (0, True) == stopped(daemon)


@pytest.mark.slow
def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    with with_a_sink_that_hangs(tmp_path) as (_, daemon):
        daemon.signal(signal.SIGTERM)
        daemon.until(lambda: daemon.said("stopping"), "it stops")
        begun = time.monotonic()
        daemon.signal(signal.SIGINT)
        assert -signal.SIGINT == daemon.wait()
        assert time.monotonic() - begun < 1


@pytest.mark.slow
@pytest.mark.parametrize("after", [0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6])
def test_from_the_first_moment_on_it_stops(after: float, tmp_path: Path) -> None:
    """Before its handlers are there, the signal's own default ends it: nothing is lost, since nothing was begun."""
    with PlatformThread() as stand_in, Daemon(tmp_path, domain=stand_in.url) as daemon:
        threading.Event().wait(after)
        code, in_time = stopped(daemon)
        assert in_time
        assert code in (0, -signal.SIGTERM)


SIGNALLED_WHERE_EXCEPTIONS_ARE_SWALLOWED = """
import os, signal
from listener.app import signals
class Collected:
    def __del__(self):
        os.kill(os.getpid(), signal.{name})
signals.stoppable_at_once()
Collected()
print("lives on")
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_while_starting_it_stops_even_where_an_exception_would_be_swallowed(name: str) -> None:
    """As inside the collector or the import system's callbacks."""
    code = SIGNALLED_WHERE_EXCEPTIONS_ARE_SWALLOWED.format(name=name)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, timeout=20)
    assert (0, b"", b"") == (done.returncode, done.stdout, done.stderr)


def test_a_closed_terminal_stops_it(tmp_path: Path) -> None:
    """SIGHUP from the kernel; every write to the terminal fails by then."""
    with PlatformThread() as stand_in:
        process, terminal = pty.fork()
        if process == 0:
            os.chdir(tmp_path)
            os.execve(PROGRAM[0], [*PROGRAM, "start"], environment(tmp_path, stand_in.url))
        stand_in.call(stand_in.platform.connected, within=20)
        os.close(terminal)
        try:
            assert 0 == ended(process)
        finally:
            subprocess.run(["kill", "-9", str(process)], check=False, capture_output=True)
        assert 0 == len(stand_in.platform.connections)


def ended(process: int) -> int:
    """The exit code of a child, within 5 s."""
    deadline = time.monotonic() + STOPPED
    while time.monotonic() < deadline:
        found, status = os.waitpid(process, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        threading.Event().wait(0.02)
    raise AssertionError("it lives on without its terminal")


@pytest.mark.slow
def test_sighup_without_a_terminal_does_not_stop_it(tmp_path: Path) -> None:
    with PlatformThread() as stand_in:
        program = (sys.executable, "-c", f"import os; os.setsid(); os.execv({PROGRAM[0]!r}, {[*PROGRAM, 'start']!r})")
        with Daemon(tmp_path, domain=stand_in.url, program=program) as daemon:
            daemon.ready()
            daemon.signal(signal.SIGHUP)
            delivery = stand_in.call(stand_in.platform.push, event(1))
            stand_in.call(delivery.acked)
            assert daemon.rc is None
            assert (0, True) == stopped(daemon)


@contextmanager
def logging_to(stderr: int, home: Path, stand_in: PlatformThread) -> Iterator["subprocess.Popen[bytes]"]:
    """A daemon that is connected."""
    command, nothing = [*PROGRAM, "start"], subprocess.DEVNULL
    with subprocess.Popen(
        command, cwd=home, env=environment(home, stand_in.url), stdin=nothing, stdout=nothing, stderr=stderr
    ) as process:
        try:
            stand_in.call(stand_in.platform.connected, within=20)
            yield process
        finally:
            process.kill()


def goes_on_and_stops(process: "subprocess.Popen[bytes]", stand_in: PlatformThread) -> None:
    """A loss, another connection and an event later it stops as ever."""
    stand_in.call(stand_in.platform.cut)
    stand_in.call(stand_in.call(stand_in.platform.push, event(1)).acked)
    process.terminate()
    assert 0 == process.wait(STOPPED)


def test_a_log_whose_reader_is_gone_is_no_reason_to_end(tmp_path: Path) -> None:
    reading, writing = socket.socketpair()
    with (
        reading,
        writing,
        PlatformThread() as stand_in,
        logging_to(writing.fileno(), tmp_path, stand_in) as process,
    ):
        writing.close()
        reading.close()
        goes_on_and_stops(process, stand_in)


def test_a_log_whose_reader_stopped_reading_is_not_waited_for(tmp_path: Path) -> None:
    with full_pipe() as pipe, PlatformThread() as stand_in, logging_to(pipe, tmp_path, stand_in) as process:
        goes_on_and_stops(process, stand_in)
