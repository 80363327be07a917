"""More strangers at the webhook than the process has descriptors for: the platform is answered all the same."""

import asyncio
import resource
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.webhook.posts import encrypted, event, signed
from tests.webhook.server import PATH

LIMIT, CROWD = 1024, 1400  # descriptors of the server, connections of strangers
SERVER = """
import asyncio, resource, sys
from pathlib import Path
from listener.base.logs import configure
from tests.webhook.server import serving

configure("error")
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[2]),) * 2)

async def main():
    async with serving(Path(sys.argv[1])) as served:
        print(served.address[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(main())
"""
HEAD = f"POST {PATH} HTTP/1.1\r\nHost: a\r\n".encode()


@contextmanager
def _server(home: Path) -> Iterator[int]:
    command = [sys.executable, "-c", SERVER, str(home), str(LIMIT)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.communicate("", timeout=30)
        assert 0 == process.returncode


@contextmanager
def _descriptors(count: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, before[1]), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def _post(port: int) -> int:
    headers, body = signed(encrypted(event(7)))
    request = urllib.request.Request(f"http://127.0.0.1:{port}{PATH}", body, headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return int(answer.status)


@pytest.mark.parametrize(
    "sent", [b"", HEAD, HEAD + b"Content-Length: 100\r\n\r\n{"], ids=["idle", "half a head", "half a body"]
)
def test_strangers_make_room_for_the_platform(tmp_path: Path, sent: bytes) -> None:
    async def main(port: int) -> int:
        crowd = []
        for _ in range(CROWD):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            crowd.append(writer)
        status = await asyncio.to_thread(_post, port)
        for writer in crowd:
            writer.transport.abort()
        return status

    with _descriptors(CROWD + 500), _server(tmp_path) as port:
        assert 200 == asyncio.run(main(port))
