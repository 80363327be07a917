"""Tells by which names this machine is asked, and whether the one who asks is on it. Pure, but for the host's name.

A stranger's page can have the reader's browser ask us under a name of its own (DNS rebinding); the name then stands in
Host. So Host is parsed as an address: "127.0.0.1.evil.test" is none, however it begins.
"""

import socket
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")  # a proxy asks for somebody else


def host_of(header: str) -> str:
    """Returns the name or address in a Host header, in lower case, without its port; "?" where it can't be read."""
    try:
        parts = urlsplit("//" + header.strip())
        _ = parts.port  # raises ValueError where it is none
    except ValueError:
        return "?"
    if parts.username is not None or parts.path or parts.query or parts.fragment:
        return "?"
    return (parts.hostname or "?").rstrip(".")


def is_ours(header: str, address: str) -> bool:
    """Returns whether a Host header names this machine: any IP address, "localhost", its own name, none at all."""
    if not header:
        return True
    host = host_of(header)
    known = {"localhost", socket.gethostname().lower(), address.rpartition(":")[0].strip("[]").lower()}
    return host in known or _is_address(host)


def is_local(header: str, peer: str, headers: Mapping[str, str]) -> bool:
    """Returns whether a request was made on this machine, to loopback, and not on behalf of somebody beyond it."""
    if any(name in headers for name in FORWARDED):
        return False
    return _is_loopback(peer) and (header == "" or _is_loopback(host_of(header)))


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)  # ::ffff:127.0.0.1, on a socket that listens to both
    return (mapped or address).is_loopback
