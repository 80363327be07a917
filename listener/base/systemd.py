"""Tells systemd the service's state, over the datagram socket that it names in $NOTIFY_SOCKET (sd_notify(3)).

Without that variable nothing is sent. Nothing here raises or waits: a manager that is deaf is no reason to stop.
"""

import os
import socket
import time
from collections.abc import Mapping


class Notifier:
    """Tells systemd of the service's state, where systemd has asked for it.

    `watchdog` is the seconds within which systemd wants a sign of life; None where it wants none.
    """

    def __init__(self, env: Mapping[str, str] = os.environ) -> None:
        self._address = env.get("NOTIFY_SOCKET", "")
        self.watchdog = _watchdog(env)

    def ready(self, status: str) -> None:
        self._send("READY=1", f"STATUS={status}")

    def status(self, status: str) -> None:
        """Sends the line that `systemctl status` shows."""
        self._send(f"STATUS={status}")

    def alive(self) -> None:
        self._send("WATCHDOG=1")

    def reloading(self) -> None:
        """Tells systemd that a reload begins; `ready` must follow."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        self._send("STOPPING=1", "STATUS=stopping")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address[0] == "@" else self._address  # "@": an abstract socket
        message = "\n".join(line.replace("\n", " ") for line in lines)
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.setblocking(False)
                sock.sendto(message.encode(), address)
        except OSError:
            return


def stderr_is_journal(env: Mapping[str, str] = os.environ) -> bool:
    """Returns whether standard error leads to systemd's journal, by $JOURNAL_STREAM (systemd.exec(5))."""
    try:
        stderr = os.fstat(2)
    except OSError:
        return False
    return env.get("JOURNAL_STREAM") == f"{stderr.st_dev}:{stderr.st_ino}"


def _watchdog(env: Mapping[str, str]) -> float | None:
    """Returns the seconds of systemd's watchdog if it is meant for this process (sd_watchdog_enabled(3))."""
    usec, pid = env.get("WATCHDOG_USEC", ""), env.get("WATCHDOG_PID", "")
    if not usec.isdecimal() or int(usec) == 0 or pid not in ("", str(os.getpid())):
        return None
    return int(usec) / 1_000_000
