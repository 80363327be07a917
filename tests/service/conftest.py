"""A stand-in platform that lets clients back in at once, and a stand-in for systemd's notification socket."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.conftest import stand_in
from tests.inprocess import commands
from tests.service.manager import Manager

__all__ = ["commands", "stand_in"]


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
