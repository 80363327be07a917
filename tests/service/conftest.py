"""A stand-in platform that lets clients back in at once, and a stand-in for systemd's notification socket."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from listener.platform import PlatformThread
from tests.inprocess import commands
from tests.service.manager import Manager

__all__ = ["commands"]


@pytest.fixture
def stand_in() -> Iterator[PlatformThread]:
    with PlatformThread(scale=0.01) as stand_in:
        stand_in.platform.gateway.client_config |= {"ReconnectNonce": 0, "PingInterval": 2}
        yield stand_in


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(path))
        manager = Manager(path)
        reader = threading.Thread(target=manager.read, args=(sock,), daemon=True)
        reader.start()
        yield manager
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"", str(path))
        reader.join()
