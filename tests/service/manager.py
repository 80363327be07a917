"""systemd's side of sd_notify, and of the daemon's HTTP port."""

import socket
import time
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path


@dataclass
class Manager:
    """`heard`: (monotonic seconds, message) of each datagram; an empty one ends the reading."""

    path: Path
    heard: list[tuple[float, str]] = field(default_factory=list)

    def read(self, sock: socket.socket) -> None:
        while message := sock.recv(65536):
            self.heard.append((time.monotonic(), message.decode()))

    def count(self, word: str) -> int:
        """Messages with this line."""
        return sum(word in message.split("\n") for _, message in list(self.heard))

    @property
    def status(self) -> str:
        """The newest STATUS."""
        lines = [line for _, message in list(self.heard) for line in message.split("\n")]
        return next((line.removeprefix("STATUS=") for line in reversed(lines) if line.startswith("STATUS=")), "")

    def env(self, watchdog: float = 0.0) -> dict[str, str]:
        """For the daemon; `watchdog` in seconds."""
        usec = {"WATCHDOG_USEC": str(int(watchdog * 1e6))} if watchdog else {}
        return {"NOTIFY_SOCKET": str(self.path)} | usec


def free_port() -> int:
    """One that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def get(port: int, path: str, method: str = "GET") -> tuple[int, str]:
    """(status, body)."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()
