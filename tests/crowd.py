"""More strangers at a server of ours than its process has descriptors for."""

import asyncio
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

LIMIT, CROWD = 1024, 1400  # descriptors of the server, connections of strangers


SILENCES = ("nothing", "half a head", "half a body")  # what each stranger sends before it falls silent


@contextmanager
def descriptors_for_all() -> Iterator[None]:
    """Lets this process hold as many connections."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(CROWD + 500, before[1]), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@asynccontextmanager
async def strangers(port: int, path: str, silence: str) -> AsyncIterator[None]:
    """They have come, one after the other, and each waits for an answer until the end."""
    crowd = []
    for _ in range(CROWD):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(_sent(port, path)[silence])
        crowd.append(writer)
    yield
    for writer in crowd:
        writer.transport.abort()


def _sent(port: int, path: str) -> dict[str, bytes]:
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n".encode()
    return dict(zip(SILENCES, [b"", head, head + b"Content-Length: 100\r\n\r\n{"], strict=True))
