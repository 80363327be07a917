"""Applies faults by their names, for the command line: `--fault endpoint-500 --fault duplicates`."""

from types import MappingProxyType
from typing import Final

from listener.simulator.faults import (
    BUSY,
    CONNECTION_LIMIT,
    HANG,
    HTML_PAGE,
    NO_URL,
    REFUSED_CREDENTIAL,
    RESET,
    Faults,
    Mood,
    http,
    refused,
    throttled,
)

ENDPOINT: Final = MappingProxyType(
    {
        "endpoint-500": http(500),
        "endpoint-429": throttled(),
        "endpoint-busy": BUSY,
        "endpoint-hang": HANG,
        "endpoint-html": HTML_PAGE,
        "endpoint-no-url": NO_URL,
        "endpoint-reset": RESET,
        "bad-secret": REFUSED_CREDENTIAL,
    }
)
"""Answers of the endpoint call; each is given once, then the next one named, then it serves."""
HANDSHAKE: Final = MappingProxyType(
    {
        "handshake-403": refused(403, "forbidden"),
        "handshake-hang": HANG,
        "handshake-reset": RESET,
        "connection-limit": CONNECTION_LIMIT,
    }
)
"""Answers of the handshake, likewise."""
MOODS: Final = MappingProxyType[str, Mood]({"no-pong": "no_pong", "deaf": "deaf", "silent": "silent"})
"""What open connections do, for good."""
ZOMBIE: Final = "zombie"
"""The first connection answers pings, and no event comes through it, until the client opens another one."""
STREAM: Final = ("duplicates", "split", "cuts")
"""What happens to events: each is pushed twice; comes in three parts; the connection is cut after every tenth."""

NAMES: Final = (*ENDPOINT, *HANDSHAKE, *MOODS, ZOMBIE, *STREAM)


def apply(names: tuple[str, ...], faults: Faults) -> None:
    """Switches on the faults of these names; those of the stream are left to who pushes. Raises KeyError."""
    for name in names:
        if name in STREAM:
            continue
        if name == ZOMBIE:
            faults.zombies = 1
        elif name in MOODS:
            faults.connected = MOODS[name]
        elif name in HANDSHAKE:
            faults.handshake.append(HANDSHAKE[name])
        else:
            faults.endpoint.append(ENDPOINT[name])
