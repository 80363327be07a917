"""The way in and the way of an event, over real sockets."""

import asyncio
import json
import os
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Literal

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedOK, InvalidStatus

from listener.simulator import Platform, PlatformThread
from tests.simulator.client import answer, call_endpoint, connected, ping, receive, socket_url


def test_the_endpoint_hands_out_a_url_and_the_timings() -> None:
    async def main() -> None:
        async with Platform() as platform:
            response = await call_endpoint(platform.url)
            data = response.json()["data"]
            assert data["URL"].startswith(f"ws://127.0.0.1:{platform.port}/ws/v2?")
            assert {"device_id", "service_id", "access_key", "ticket"} <= {
                pair.partition("=")[0] for pair in data["URL"].partition("?")[2].split("&")
            }
            assert platform.gateway.client_config == data["ClientConfig"]
            assert all(secret in data["URL"] for secret in platform.gateway.secrets)
            assert {"AppID": "cli_a5ca1ab1e0ddba11", "AppSecret": "demo-secret"} == platform.endpoint_calls[0].json()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"AppID": "cli_a5ca1ab1e0ddba11", "AppSecret": "wrong"}, 1000040345),
        ({"AppID": "cli_other", "AppSecret": "demo-secret"}, 1000040345),
        ({"AppID": "cli_a5ca1ab1e0ddba11", "AppSecret": ""}, 1000040344),
    ],
)
def test_wrong_credentials_are_refused_by_the_platforms_code(body: dict[str, str], code: int) -> None:
    async def main() -> int:
        async with Platform() as platform:
            return int((await call_endpoint(platform.url, body)).json()["code"])

    assert code == asyncio.run(main())


def test_a_ticket_opens_one_connection_only() -> None:
    async def main() -> None:
        async with Platform() as platform:
            url = await socket_url(platform.url)
            async with connect(url, proxy=None):
                await platform.connected()
                with pytest.raises(InvalidStatus) as refused:
                    await connect(url, proxy=None)
            assert "514" == refused.value.response.headers["Handshake-Status"]
            assert {"accepted": 1, "refused": 1} == dict(platform.counts)

    asyncio.run(main())


def test_connections_over_the_limit_are_refused_until_there_is_room() -> None:
    async def main() -> None:
        async with Platform() as platform:
            platform.gateway.max_connections = 1
            async with connected(platform):
                with pytest.raises(InvalidStatus) as refused:
                    await connect(await socket_url(platform.url), proxy=None)
                assert "1000040350" == refused.value.response.headers["Handshake-Autherrcode"]
            await platform.watch.until(lambda: not platform.connections, "room")
            async with connected(platform):
                assert 1 == len(platform.connections)

    asyncio.run(main())


def test_a_ping_is_answered_with_the_timings() -> None:
    async def main() -> None:
        async with Platform() as platform, connected(platform) as socket:
            platform.gateway.client_config = {"PingInterval": 2}
            await ping(socket)
            pong = await receive(socket)
            assert ("pong", {"PingInterval": 2}) == (pong.header("type"), json.loads(pong.payload))
            assert (1, 1) == (platform.counts["pings"], platform.counts["pongs"])

    asyncio.run(main())


def test_an_event_is_pushed_with_the_platforms_headers_and_its_ack_recorded() -> None:
    async def main() -> None:
        async with Platform() as platform, connected(platform) as socket:
            delivery = platform.push({"text": "工单"})
            frame = await receive(socket)
            expected = ["type", "message_id", "sum", "seq", "trace_id", "timestamp", "instance_id"]
            assert expected == [key for key, _ in frame.headers]
            assert '{"text":"工单"}'.encode() == frame.payload
            await answer(socket, frame)
            ack = await delivery.acked()
            assert (200, "3", platform.connections[0].id) == (ack.code, ack.biz_rt, ack.connection_id)
            assert (*frame.headers,) == ack.headers
            assert [ack] == list(platform.acks)

    asyncio.run(main())


def test_an_event_waits_for_a_connection() -> None:
    async def main() -> None:
        async with Platform() as platform:
            delivery = platform.push(b"{}")
            assert ("waiting", 0) == (delivery.state, delivery.pushes)
            async with connected(platform) as socket:
                await answer(socket, await receive(socket))
                await delivery.acked()
            assert 1 == delivery.pushes

    asyncio.run(main())


def test_a_split_event_comes_in_parts_and_in_any_order() -> None:
    async def main() -> None:
        async with Platform() as platform, connected(platform) as socket:
            platform.push(b"abcdefgh", parts=3, order=[2, 0, 0, 1])
            parts = [await receive(socket) for _ in range(4)]
            assert [b"fgh", b"ab", b"ab", b"cde"] == [part.payload for part in parts]
            assert [("3", "2"), ("3", "0"), ("3", "0"), ("3", "1")] == [
                (part.header("sum"), part.header("seq")) for part in parts
            ]
            assert 1 == len({part.header("message_id") for part in parts})

    asyncio.run(main())


def test_each_event_goes_to_one_random_connection() -> None:
    async def main() -> None:
        async with Platform() as platform, connected(platform), connected(platform):
            deliveries = [platform.push(b"{}") for _ in range(64)]
            assert {1} == {delivery.pushes for delivery in deliveries}
            assert {one.id for one in platform.connections} == {one.connection_ids[0] for one in deliveries}

    asyncio.run(main())


def test_the_clients_close_is_recorded_and_answered() -> None:
    async def main() -> None:
        async with Platform() as platform:
            async with connected(platform) as socket:
                number = platform.connections[0].id
                await socket.close(1001, "going away")
            assert [(number, 1001, "going away")] == list(platform.clean_closes)
            assert (1001, []) == (socket.close_code, platform.connections)

    asyncio.run(main())


@pytest.mark.parametrize(("how", "code"), [("reset", 1006), ("fin", 1006), ("close", 4001)])
def test_a_cut_reaches_the_client(how: Literal["reset", "fin", "close"], code: int) -> None:
    async def main() -> int:
        async with Platform() as platform, connected(platform) as socket:
            await platform.cut(how=how, code=4001)
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            return socket.close_code or 0

    assert code == asyncio.run(main())


def test_odd_messages_are_kept_and_the_connection_lives_on() -> None:
    async def main() -> None:
        async with Platform() as platform, connected(platform) as socket:
            await socket.send(b"\xff\xff")
            await socket.send("text")
            await platform.watch.until(lambda: len(platform.garbage) == 2, "both seen")
            assert [b"\xff\xff", b"text"] == list(platform.garbage)
            platform.send_raw(b"\x01torn")
            platform.send_raw(b"hello", text=True)
            assert [b"\x01torn", "hello"] == [await socket.recv(), await socket.recv()]

    asyncio.run(main())


def test_it_starts_again_on_the_same_port() -> None:
    async def main() -> None:
        platform = Platform()
        await platform.start()
        port = platform.port
        async with connected(platform) as socket:
            await platform.close()
            with pytest.raises(ConnectionClosed):
                await socket.recv()
        async with await platform.start(port=port), connected(platform):
            assert (port, 1) == (platform.port, len(platform.connections))

    asyncio.run(main())


def test_closing_leaves_no_task_thread_or_descriptor() -> None:
    async def main() -> None:
        tasks = asyncio.all_tasks()
        async with Platform() as platform, connected(platform), connected(platform):
            platform.silence()
            platform.push(b"{}")
            await platform.close()
        assert tasks == asyncio.all_tasks()

    def open_files() -> set[str]:
        return {os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if _is_socket(fd)}

    asyncio.run(main())  # once for what the libraries keep
    before = open_files(), threading.active_count()
    asyncio.run(main())
    assert before == (open_files(), threading.active_count())


def _is_socket(fd: str) -> bool:
    try:
        return "socket" in os.readlink(f"/proc/self/fd/{fd}")
    except FileNotFoundError:
        return False


def test_a_thread_serves_callers_that_are_not_asynchronous() -> None:
    threads = threading.active_count()
    with PlatformThread(scale=0.01) as stand_in:

        async def client() -> None:
            url = await socket_url(stand_in.url)
            async with connect(url, proxy=None) as socket:
                await answer(socket, await receive(socket))
                with pytest.raises(ConnectionClosedOK):
                    await socket.recv()

        delivery = stand_in.call(stand_in.platform.push, {"a": 1})
        runner = threading.Thread(target=_run, args=(client,))
        runner.start()
        assert 200 == stand_in.call(delivery.acked).code
        stand_in.call(stand_in.platform.cut, how="close")
        runner.join()
    assert threads == threading.active_count()


def _run(client: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(client())
