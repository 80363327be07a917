"""An endpoint that answers nonsense is asked again, until it makes sense or the daemon is told to stop."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from listener.simulator import PlatformThread, Reply, faults
from tests.connection.listening import PROMPT, QUICKLY, listening, platform
from tests.daemon import Daemon

CONNECTED = 20.0  # s from the start
NONSENSE = {
    "500": faults.http(500),
    "busy": faults.BUSY,
    "reset": faults.RESET,
    "HTML page": faults.HTML_PAGE,
    "no URL": faults.NO_URL,
    "empty": faults.EMPTY,
    "10 MB": faults.HUGE,
    "redirect": faults.redirect("http://127.0.0.1:1/callback/ws/endpoint"),
}
THREE_TIMES_OVER = [answer for _ in range(3) for answer in NONSENSE.values()]


def answered(data: Any) -> Reply:
    """An answer whose `data` is this."""
    return faults.reply({"code": 0, "msg": "ok", "data": data})


ODD: dict[str, Reply] = {
    "internal error": faults.INTERNAL_ERROR,
    "not JSON": faults.http(200, b"\xff\xfe{"),
    "a list": faults.reply([1, 2]),
    "null": faults.reply(None),
    "data is a text": answered("wss://x"),
    "code is a text": faults.reply({"code": "0", "data": {}}),
    "nested deep": faults.http(200, b"[" * 100_000),
    "not HTTP": faults.raw(b"\x16\x03\x01 hello\r\n\r\n"),
    "half an answer": faults.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"),
    "a million headers": faults.raw(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 100_000),
    "URL is a number": answered({"URL": 7}),
    "URL is plain ws": answered({"URL": "ws://feishu.test/ws/v2?device_id=1&service_id=1"}),
    "URL is http": answered({"URL": "https://127.0.0.1/ws/v2?device_id=1&service_id=1"}),
    "URL is torn": answered({"URL": "wss://[::1/ws/v2?device_id=1&service_id=1"}),
    "URL has no ids": answered({"URL": "wss://127.0.0.1/ws/v2"}),
    "service_id is a text": answered({"URL": "ws://127.0.0.1:1/ws/v2?device_id=1&service_id=x"}),
    "service_id is huge": answered({"URL": "ws://127.0.0.1:1/ws/v2?device_id=1&service_id=99999999999"}),
}


@pytest.mark.parametrize("what", [*NONSENSE, *ODD])
def test_nonsense_is_asked_again(what: str) -> None:
    async def main() -> None:
        async with platform() as stand_in:
            stand_in.faults.endpoint.append((NONSENSE | ODD)[what])
            async with listening(stand_in.url, backoff=QUICKLY) as listener:
                await listener.connected(within=3)
                assert {"endpoint": 1} == listener.supervisor.state.losses

    asyncio.run(main())


def test_a_redirect_is_not_followed() -> None:
    """It would hand the secret to another host."""

    async def main() -> None:
        async with platform() as stand_in, platform() as other:
            stand_in.faults.endpoint.append(faults.redirect(f"{other.url}/callback/ws/endpoint"))
            stand_in.faults.handshake.append(faults.redirect(f"{other.url}/ws/v2".replace("http", "ws")))
            async with listening(stand_in.url, backoff=QUICKLY) as listener:
                await listener.connected()
                assert [0, 0] == [len(other.endpoint_calls), len(other.handshakes)]
                assert {"endpoint": 1, "handshake": 1} == listener.supervisor.state.losses

    asyncio.run(main())


def prompt_stand_in() -> PlatformThread:
    """In a thread, for a daemon."""
    stand_in = PlatformThread()
    stand_in.platform.gateway.client_config = dict(PROMPT)
    return stand_in


@pytest.mark.slow
def test_connected_within_20_s_of_nonsense_three_times_over(tmp_path: Path) -> None:
    with prompt_stand_in() as stand_in, Daemon(tmp_path, domain=stand_in.url) as daemon:
        stand_in.platform.faults.endpoint += THREE_TIMES_OVER
        daemon.ready(within=CONNECTED)
        assert len(THREE_TIMES_OVER) + 1 == len(stand_in.platform.endpoint_calls)
        assert daemon.said("cannot connect") < 5
        assert 0 == daemon.stop()


@pytest.mark.slow
@pytest.mark.parametrize("calls", [1, 4, 9, 15, 22])
def test_sigterm_stops_at_any_point_of_it(calls: int, tmp_path: Path) -> None:
    with prompt_stand_in() as stand_in:
        platform = stand_in.platform
        platform.faults.endpoint += THREE_TIMES_OVER
        with Daemon(tmp_path, domain=stand_in.url) as daemon:
            daemon.until(lambda: len(platform.endpoint_calls) >= calls, f"{calls} calls", CONNECTED)
            assert 0 == daemon.stop()
