"""Health, readiness and metrics over HTTP, while the platform, the disk and the clients misbehave."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from listener.simulator import PlatformThread, conversation
from listener.simulator.faults import REFUSED_CREDENTIAL
from tests.daemon import Daemon
from tests.service.manager import free_port, get

TYPE = "helpdesk.ticket_message.created_v1"
CONFIG = """
[http]
listen = "127.0.0.1:{port}"
[journal]
max_size = "1MiB"
[[sinks]]
name = "archive"
type = "file"
path = "tickets.jsonl"
"""


@contextmanager
def _serving(home: Path, domain: str, more: str = "") -> Iterator[tuple[Daemon, int]]:
    port = free_port()
    with Daemon(home, domain=domain, config=CONFIG.format(port=port) + more) as daemon:
        daemon.ready()
        yield daemon, port


def _push(stand_in: PlatformThread, count: int) -> None:
    for event, _ in zip(conversation(), range(count), strict=False):
        stand_in.call(stand_in.call(stand_in.platform.push, event).acked)


def test_it_is_off_unless_asked_for(tmp_path: Path, stand_in: PlatformThread) -> None:
    with Daemon(tmp_path, domain=stand_in.url) as daemon:
        daemon.ready()
        assert [] == _listening(daemon.pid)


def _listening(pid: int) -> list[str]:
    """The process's TCP sockets that listen, from proc(5)."""
    own = {os.readlink(fd).removeprefix("socket:[").rstrip("]") for fd in Path(f"/proc/{pid}/fd").iterdir()}
    tables = [Path(f"/proc/{pid}/net/{name}").read_text(encoding="ascii") for name in ("tcp", "tcp6")]
    rows = [line.split() for table in tables for line in table.splitlines()[1:]]
    return [row[1] for row in rows if row[3] == "0A" and row[9] in own]


@pytest.mark.slow
def test_with_the_platform_gone_it_is_alive_and_not_ready(tmp_path: Path, stand_in: PlatformThread) -> None:
    with _serving(tmp_path, stand_in.url) as (daemon, port):
        assert (200, "ready\n") == get(port, "/readyz")
        address = stand_in.platform.port
        stand_in.call(stand_in.platform.close)
        daemon.until(lambda: get(port, "/readyz")[0] == 503, "not ready", within=15.0)
        assert get(port, "/readyz")[1].startswith("not connected since 20")
        assert (200, "alive\n") == get(port, "/healthz")
        assert "helpdesk_listen_connected 0.0" in get(port, "/metrics")[1]
        stand_in.call(stand_in.platform.start, "127.0.0.1", address)
        returned = time.monotonic()
        daemon.until(lambda: get(port, "/readyz")[0] == 200, "ready again", within=5.0)
        assert time.monotonic() - returned < 5.0


@pytest.mark.slow
def test_a_full_journal_is_not_ready_and_is_again_with_room(tmp_path: Path, stand_in: PlatformThread) -> None:
    hopeless = '[[sinks]]\nname = "hopeless"\ntype = "file"\npath = "/proc/nowhere/x.jsonl"\n'
    with _serving(tmp_path, stand_in.url, hopeless) as (daemon, port):
        payloads = (
            {"header": {"event_id": f"e{n}", "event_type": TYPE}, "event": {"x": "y" * 60_000}} for n in range(40)
        )
        for payload in payloads:
            stand_in.call(stand_in.platform.push, payload)
        daemon.until(lambda: "the journal is full: new events are refused" in get(port, "/readyz")[1], "full")
        assert 200 == get(port, "/healthz")[0]
        (tmp_path / "config.toml").write_text(CONFIG.format(port=port), encoding="utf-8")
        daemon.signal(signal.SIGHUP)
        daemon.until(lambda: get(port, "/readyz") == (200, "ready\n"), "ready again", within=5.0)


@pytest.mark.slow
def test_credentials_refused_later_are_told(tmp_path: Path, stand_in: PlatformThread) -> None:
    with _serving(tmp_path, stand_in.url) as (daemon, port):
        stand_in.platform.faults.endpoint += [REFUSED_CREDENTIAL] * 1000
        stand_in.call(stand_in.platform.cut)
        daemon.until(lambda: "app_id or app_secret is invalid" in get(port, "/readyz")[1], "the reason")


def test_a_stuck_sink_is_not_ready(tmp_path: Path, stand_in: PlatformThread) -> None:
    more = '[[sinks]]\nname = "hopeless"\ntype = "file"\npath = "/proc/nowhere/x.jsonl"\n'
    program = (
        sys.executable,
        "-c",
        "import listener.observe.health as s; s.STUCK_AFTER = 0.5; import listener.cli.main as c; c.main()",
    )
    port = free_port()
    with Daemon(tmp_path, domain=stand_in.url, config=CONFIG.format(port=port) + more, program=program) as daemon:
        daemon.ready()
        _push(stand_in, 1)
        daemon.until(lambda: get(port, "/readyz")[0] == 503, "not ready")
        assert get(port, "/readyz")[1].startswith("sink hopeless: ")
        assert 'helpdesk_listen_sink_stuck{sink="hopeless"} 1.0' in get(port, "/metrics")[1]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Debian: prometheus) is missing")
def test_a_scrape_of_a_working_daemon(tmp_path: Path, stand_in: PlatformThread) -> None:
    with _serving(tmp_path, stand_in.url) as (daemon, port):
        _push(stand_in, 20)
        daemon.until(lambda: 'delivery_delay_seconds_count{sink="archive"} 20.0' in get(port, "/metrics")[1], "20")
        status, text = get(port, "/metrics")
    assert 200 == status
    assert 'helpdesk_listen_acks_total{code="200"} 20.0' in text
    assert "helpdesk_listen_ack_duration_seconds_count 20.0" in text
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


def test_a_port_that_is_taken_does_not_keep_events_away(tmp_path: Path, stand_in: PlatformThread) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = CONFIG.format(port=taken.getsockname()[1])
        with Daemon(tmp_path, domain=stand_in.url, config=config) as daemon:
            daemon.ready()
            assert 1 == daemon.said("http.listen can't be used")


def _status_line(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=8) as sock:
        sock.sendall(request)
        return sock.recv(64).split(b"\r\n")[0].partition(b" ")[2]


def test_whatever_a_client_does(tmp_path: Path, stand_in: PlatformThread) -> None:
    with _serving(tmp_path, stand_in.url) as (daemon, port):
        assert (404, 405, 200) == (
            get(port, "/nowhere")[0],
            get(port, "/healthz", "POST")[0],
            get(port, "/healthz?x=1")[0],
        )
        assert (200, "") == get(port, "/readyz", "HEAD")
        assert b"400 Bad Request" == _status_line(port, b"\x00\xff\r\n\r\n")
        assert b"400 Bad Request" == _status_line(port, b"GET /" + b"x" * 9000)
        assert 0 == daemon.stop()
        assert 0 == daemon.said("Traceback")


@pytest.mark.slow
def test_idle_clients_make_room_for_a_probe_and_are_cut_off(tmp_path: Path, stand_in: PlatformThread) -> None:
    with _serving(tmp_path, stand_in.url) as (daemon, port):
        idle = [socket.create_connection(("127.0.0.1", port), timeout=8) for _ in range(200)]
        assert 200 == get(port, "/healthz")[0]
        for one in (idle[0], idle[-1]):
            assert b"" == one.recv(1), "cut off"
        for one in idle:
            one.close()
        assert 200 == get(port, "/healthz")[0]
        assert 0 == daemon.said("Traceback")
