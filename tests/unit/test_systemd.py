import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from listener.base.systemd import Notifier, stderr_is_journal


def _manager(address: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(address)
    sock.settimeout(5)
    return sock


MESSAGES: dict[str, tuple[Callable[[Notifier], None], str]] = {
    "ready": (lambda n: n.ready("connected"), "READY=1\nSTATUS=connected"),
    "status": (lambda n: n.status("a\nb"), "STATUS=a b"),
    "alive": (lambda n: n.alive(), "WATCHDOG=1"),
    "stopping": (lambda n: n.stopping(), "STOPPING=1\nSTATUS=stopping"),
}


@pytest.mark.parametrize("message", MESSAGES)
def test_what_is_sent(message: str, tmp_path: Path) -> None:
    send, expected = MESSAGES[message]
    with _manager(str(tmp_path / "notify")) as manager:
        send(Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")}))
        assert expected == manager.recv(4096).decode()


def test_an_abstract_socket() -> None:
    name = f"helpdesk-listen-test-{os.getpid()}"
    with _manager("\0" + name) as manager:
        Notifier({"NOTIFY_SOCKET": "@" + name}).alive()
        assert b"WATCHDOG=1" == manager.recv(4096)


def test_a_reload_says_when_it_began(tmp_path: Path) -> None:
    before = time.monotonic_ns() // 1000
    with _manager(str(tmp_path / "notify")) as manager:
        Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")}).reloading()
        first, second = manager.recv(4096).decode().split("\n")
    assert "RELOADING=1" == first
    assert before <= int(second.removeprefix("MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000


@pytest.mark.parametrize("address", ["", "/nowhere/notify"])
def test_nobody_who_listens_is_no_error(address: str) -> None:
    Notifier({"NOTIFY_SOCKET": address}).ready("connected")


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_whether_there_is_a_watchdog(env: dict[str, str], expected: float | None) -> None:
    assert expected == Notifier(env).watchdog


def test_an_inherited_journal_stream_is_not_this_stderr() -> None:
    stderr = os.fstat(2)
    assert stderr_is_journal({"JOURNAL_STREAM": f"{stderr.st_dev}:{stderr.st_ino}"})
    assert not stderr_is_journal({"JOURNAL_STREAM": "8:12345678901"})
    assert not stderr_is_journal({})
