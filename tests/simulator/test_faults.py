"""Everything that can be made to go wrong does go wrong, and then stops to."""

import asyncio

import pytest
import requests
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from listener.simulator import Platform, Reply, faults
from tests.simulator.client import answer, call_endpoint, connected, ping, receive, socket_url


@pytest.mark.parametrize(
    ("scripted", "status", "body"),
    [
        (faults.http(500), 500, b""),
        (faults.HTML_PAGE, 200, b"<html>"),
        (faults.EMPTY, 200, b""),
        (faults.HUGE, 200, b"x" * 10_000_000),
        (faults.NO_URL, 200, b'"data": {}'),
        (faults.BUSY, 200, b'"code": 1,'),
        (faults.INTERNAL_ERROR, 200, b"1000040343"),
        (faults.NO_CREDENTIAL, 200, b"1000040344"),
        (faults.REFUSED_CREDENTIAL, 200, b"1000040345"),
        (faults.code(424242, "?"), 200, b"424242"),
        (faults.redirect("http://example.invalid/"), 307, b""),
        (faults.throttled(2), 429, b"99991400"),
        (Reply(body=b"slow", drip=0.001), 200, b"slow"),
        (faults.raw(b"HTTP/1.1 299 Odd\r\n\r\nraw"), 299, b"raw"),
    ],
)
def test_a_scripted_answer_comes_once_and_then_normal_service(scripted: Reply, status: int, body: bytes) -> None:
    async def main() -> None:
        async with Platform() as platform:
            platform.faults.endpoint.append(scripted)
            response = await call_endpoint(platform.url)
            assert (status, True) == (response.status_code, body in response.content)
            assert 0 == (await call_endpoint(platform.url)).json()["code"]

    asyncio.run(main())


@pytest.mark.parametrize(
    ("scripted", "error"),
    [
        (faults.RESET, requests.ConnectionError),
        (faults.HANG, requests.ReadTimeout),
        (faults.raw(b"SSH-2.0-OpenSSH\r\n"), requests.ConnectionError),
    ],
)
def test_an_endpoint_that_is_none(scripted: Reply, error: type[Exception]) -> None:
    async def main() -> None:
        async with Platform() as platform:
            platform.faults.endpoint.append(scripted)
            with pytest.raises(error):
                await call_endpoint(platform.url, timeout=0.2)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("scripted", "headers"),
    [
        (faults.refused(403, "forbidden"), {"Handshake-Status": "403", "Handshake-Msg": "forbidden"}),
        (faults.refused(514, "?", 7), {"Handshake-Status": "514", "Handshake-Autherrcode": "7"}),
        (faults.CONNECTION_LIMIT, {"Handshake-Status": "514", "Handshake-Autherrcode": "1000040350"}),
        (faults.http(500), {}),
    ],
)
def test_a_refused_handshake_says_why(scripted: Reply, headers: dict[str, str]) -> None:
    async def main() -> None:
        async with Platform() as platform:
            platform.faults.handshake.append(scripted)
            url = await socket_url(platform.url)
            with pytest.raises(InvalidStatus) as refused:
                await connect(url, proxy=None)
            assert headers == {name: refused.value.response.headers.get(name) for name in headers}
            async with connect(url, proxy=None):
                await platform.connected()

    asyncio.run(main())


def test_a_handshake_that_is_never_answered() -> None:
    async def main() -> None:
        async with Platform() as platform:
            platform.faults.handshake.append(faults.HANG)
            with pytest.raises(TimeoutError):
                await connect(await socket_url(platform.url), proxy=None, open_timeout=0.1)

    asyncio.run(main())


def test_no_pong_but_the_websockets_keepalive() -> None:
    async def main() -> None:
        async with Platform() as platform, connected(platform) as socket:
            platform.faults.connected = "no_pong"
            await ping(socket)
            await asyncio.wait_for(await socket.ping(), 30)
            assert (1, 0) == (platform.counts["pings"], platform.counts["pongs"])

    asyncio.run(main())


def test_a_deaf_platform_pushes_and_hears_no_ack() -> None:
    async def main() -> None:
        async with Platform(ack_timeout=0.5, schedule=(0.01,)) as platform, connected(platform) as socket:
            platform.faults.connected = "deaf"
            delivery = platform.push(b"{}")
            await answer(socket, await receive(socket))
            again = await receive(socket)
            platform.faults.connected = "serve"
            await answer(socket, again)
            await delivery.acked()
            assert ([200], 2) == (delivery.codes, delivery.pushes)

    asyncio.run(main())


def test_a_silent_platform_neither_reads_nor_writes_nor_leaves() -> None:
    async def main() -> None:
        async with Platform() as platform, connected(platform) as socket:
            platform.faults.connected = "silent"
            await ping(socket)
            keepalive = asyncio.ensure_future(await socket.ping())
            platform.push(b"{}")
            with pytest.raises(TimeoutError):
                await receive(socket, within=0.1)
            assert (False, 1) == (keepalive.done(), len(platform.connections))
            platform.faults.connected = "serve"
            async with connected(platform) as other:
                delivery = platform.push(b"for the living")
                assert b"for the living" == (await receive(other)).payload
                assert [platform.connections[1].id] == delivery.connection_ids

    asyncio.run(main())


@pytest.mark.parametrize("config", [None, {"PingInterval": 0}, {"ReconnectNonce": -1}, {}, [], "soon", 1e400])
def test_any_client_config(config: object) -> None:
    async def main() -> dict[str, object]:
        async with Platform() as platform:
            platform.gateway.client_config = config
            data: dict[str, object] = (await call_endpoint(platform.url)).json()["data"]
            return data

    assert config == asyncio.run(main()).get("ClientConfig")


def test_any_url_and_any_clock() -> None:
    async def main() -> None:
        async with Platform() as platform:
            platform.gateway.url = "ws://203.0.113.9/ws/v2?device_id=1&service_id=2"
            platform.faults.clock_skew = -(10**9)
            response = await call_endpoint(platform.url)
            assert platform.gateway.url == response.json()["data"]["URL"]
            assert response.headers["Date"].split()[3] < "2020"

    asyncio.run(main())
