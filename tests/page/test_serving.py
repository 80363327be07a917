"""What listens for HTTP: it is there at once, loads nothing before somebody comes, and loses nobody who comes early."""

import asyncio
import resource
import urllib.request
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from listener.observe import serving
from tests.crowd import LIMIT, SILENCES, descriptors_for_all, strangers
from tests.daemon import Daemon
from tests.page.serving import Served
from tests.service.manager import free_port


def _has_loaded(daemon: Daemon, library: str) -> bool:
    return f"/{library}/" in Path(f"/proc/{daemon.pid}/maps").read_text(encoding="utf-8")


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:
        content: bytes = answer.read()
        return content


def test_nothing_is_loaded_until_somebody_comes_and_the_first_hundred_are_answered(tmp_path: Path) -> None:
    port = free_port()
    config = f'[http]\nlisten = "127.0.0.1:{port}"\n[[sinks]]\nname = "archive"\ntype = "file"\npath = "x.jsonl"\n'
    with Daemon(tmp_path, domain="http://127.0.0.1:9", config=config) as daemon:
        daemon.until(lambda: daemon.said("metrics are served"), "it listens")
        assert not _has_loaded(daemon, "aiohttp")
        with ThreadPoolExecutor(100) as crowd:
            answers = list(crowd.map(_get, [f"http://127.0.0.1:{port}/healthz"] * 100))
        assert [b"alive\n"] * 100 == answers
        assert _has_loaded(daemon, "aiohttp")
        assert 0 == daemon.stop()


@pytest.mark.parametrize("silence", SILENCES)
def test_strangers_make_room_for_a_probe(page: Served, silence: str) -> None:
    resource.prlimit(page.daemon.pid, resource.RLIMIT_NOFILE, (LIMIT, LIMIT))
    _get(f"{page.url}/healthz")  # what answers is loaded

    async def main() -> bytes:
        async with strangers(page.port, "/api/login", silence):
            return await asyncio.to_thread(_get, f"{page.url}/healthz")

    with descriptors_for_all():
        assert b"alive\n" == asyncio.run(main())
    page.push("it still receives")
    assert not page.daemon.said("out of system resource")


def test_a_port_that_is_taken_is_told_at_the_start(page: Served, tmp_path: Path) -> None:
    home = tmp_path / "second"
    home.mkdir()
    config = f'[http]\nlisten = "127.0.0.1:{page.port}"\n'
    with Daemon(home, domain="http://127.0.0.1:9", config=config) as second:
        second.until(lambda: second.said("http.listen can't be used"), "it is told")
        assert 0 == second.stop()


class _Site:
    """Answers each connection with a word."""

    async def start(self) -> Callable[[], asyncio.BaseProtocol]:
        return _Answering

    async def close(self) -> None:
        """Nothing is held."""


class _Answering(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(b"heard " + data)
        self._transport.close()


def _with_server(site: Callable[..., Any], test: Callable[[int], Awaitable[None]]) -> None:
    """Runs the test beside a server whose site is made like this."""

    async def run() -> None:
        port = free_port()
        facts: Any = SimpleNamespace()
        served = serving.Served(facts, f"127.0.0.1:{port}", site)
        await served.start()
        await test(port)
        await served.close()

    asyncio.run(run())


async def _ask(port: int, words: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(words)
    try:
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


def test_what_can_not_be_loaded_is_tried_again_with_the_next_connection() -> None:
    outcomes: list[Any] = [ImportError("no such library"), _Site()]

    def site(*_: object) -> _Site:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        loaded: _Site = outcome
        return loaded

    async def test(port: int) -> None:
        assert b"" == await _ask(port, b"one")
        assert [b"heard two", b"heard three"] == [await _ask(port, b"two"), await _ask(port, b"three")]

    _with_server(site, test)


def test_no_more_are_held_than_may_be() -> None:
    goes_on = asyncio.Event()

    class Slow(_Site):
        async def start(self) -> Callable[[], asyncio.BaseProtocol]:
            await goes_on.wait()
            return _Answering

    async def test(port: int) -> None:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(serving.HELD)]
        assert b"" == await _ask(port, b"one more")
        goes_on.set()
        for reader, writer in held:
            writer.write(b"me")
            assert b"heard me" == await reader.read()
            writer.close()
            await writer.wait_closed()

    _with_server(lambda *_: Slow(), test)
