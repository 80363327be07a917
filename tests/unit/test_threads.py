"""Calls that may hang, in threads that nobody waits for."""

import asyncio
import subprocess
import sys
import threading
import time

import pytest

from listener.base.threads import DaemonExecutor

HANGS = """
import asyncio, threading
from listener.base.threads import DaemonExecutor
async def main():
    asyncio.get_running_loop().set_default_executor(DaemonExecutor())
    async with asyncio.timeout(0.05):
        await asyncio.to_thread(threading.Event().wait)
try:
    asyncio.run(main())
except TimeoutError:
    print("gave up")
"""


def test_a_call_that_hangs_holds_up_neither_the_loop_nor_the_exit() -> None:
    done = subprocess.run([sys.executable, "-c", HANGS], capture_output=True, text=True, check=True, timeout=20)
    assert "gave up\n" == done.stdout


def test_results_and_errors_come_back() -> None:
    async def main() -> None:
        asyncio.get_running_loop().set_default_executor(DaemonExecutor())
        assert 3 == await asyncio.to_thread(sum, [1, 2])
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 / 0)

    asyncio.run(main())


def test_many_at_once_wait_for_no_free_thread() -> None:
    """The usual pool has a few dozen: as many hung look-ups would starve it."""

    async def main() -> float:
        asyncio.get_running_loop().set_default_executor(DaemonExecutor())
        started, gate = time.monotonic(), threading.Event()
        hung = [asyncio.ensure_future(asyncio.to_thread(gate.wait)) for _ in range(100)]
        assert "through" == await asyncio.to_thread(lambda: "through")
        gate.set()
        await asyncio.gather(*hung)
        return time.monotonic() - started

    assert asyncio.run(main()) < 5


def test_its_threads_are_daemons() -> None:
    assert DaemonExecutor().submit(lambda: threading.current_thread().daemon).result(5)
