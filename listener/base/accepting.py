"""Accepts a server's connections, few in one turn of the loop, so that a crowd can't take every descriptor first."""

import asyncio
import resource
import socket
from collections.abc import Callable

CONNECTIONS = 512  # of one server, at once
A_TURN = 32  # connections that asyncio accepts in one turn of its loop, before any of them can make room
QUEUE = 1024  # connections that the kernel holds until they are accepted


def most_connections() -> int:
    """Returns how many connections a server may hold; half of the process's descriptors are for everything else."""
    return max(16, min(CONNECTIONS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2))


async def serve(new_protocol: Callable[[], asyncio.BaseProtocol], address: str) -> asyncio.Server:
    """Accepts connections at `address`, "host:port", and returns the server. Raises OSError."""
    host, _, port = address.rpartition(":")
    loop = asyncio.get_running_loop()
    server = await loop.create_server(new_protocol, host.strip("[]"), int(port), backlog=A_TURN)
    for listening in server.sockets:
        with socket.fromfd(listening.fileno(), listening.family, listening.type) as same:
            same.listen(QUEUE)  # asyncio has one number for its turn and for the kernel's queue
    return server
