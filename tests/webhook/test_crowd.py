"""More strangers at the webhook than the process has descriptors for: the platform is answered all the same."""

import asyncio
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.crowd import LIMIT, SILENCES, descriptors_for_all, strangers
from tests.webhook.posts import encrypted, event, signed
from tests.webhook.server import PATH

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


@contextmanager
def _server(home: Path) -> Iterator[int]:
    command = [sys.executable, "-c", SERVER, str(home), str(LIMIT)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        said, _ = process.communicate("", timeout=30)
        assert (0, "") == (process.returncode, said)  # it did not run out of descriptors even once


def _post(port: int) -> int:
    headers, body = signed(encrypted(event(7)))
    request = urllib.request.Request(f"http://127.0.0.1:{port}{PATH}", body, headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return int(answer.status)


@pytest.mark.parametrize("silence", SILENCES)
def test_strangers_make_room_for_the_platform(tmp_path: Path, silence: str) -> None:
    async def main(port: int) -> int:
        async with strangers(port, PATH, silence):
            return await asyncio.to_thread(_post, port)

    with descriptors_for_all(), _server(tmp_path) as port:
        assert 200 == asyncio.run(main(port))
