"""Keeps the tests' own process on loopback: a connection or lookup that would leave the machine is refused."""

import ipaddress
import sys
from typing import Any

attempts: list[str] = []
_AT = {"socket.connect": 1, "socket.sendto": 1, "socket.getaddrinfo": 0, "socket.gethostbyname": 0}


def guard() -> None:
    """From now on; an audit hook can't be removed, so this is for the tests' process alone."""
    sys.addaudithook(_hook)


def stays(host: object) -> bool:
    """Whether a host is this machine; no host, and the path of a Unix socket, are."""
    text = host.decode() if isinstance(host, bytes) else str(host or "")
    try:
        return ipaddress.ip_address(text.partition("%")[0]).is_loopback
    except ValueError:
        return text in ("", "localhost")


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in _AT:
        return
    target = arguments[_AT[event]]
    if event in ("socket.connect", "socket.sendto"):
        if not isinstance(target, tuple):  # a Unix socket
            return
        target = target[0]
    if not stays(target):
        attempts.append(f"{event} {target}")
        raise PermissionError(f"tests stay on loopback: {event} {target}")
