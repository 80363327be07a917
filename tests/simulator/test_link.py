"""The link between client and stand-in, and the proxy: both pass everything, until told not to."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
import requests
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError, InvalidProxyStatus

from listener.simulator import ConnectProxy, Link, Platform
from listener.simulator.proxy import ProxyRequest
from tests.simulator.client import answer, call_endpoint, connected, receive, socket_url


@contextlib.asynccontextmanager
async def linked() -> AsyncIterator[tuple[Platform, Link]]:
    async with Platform() as platform, Link(platform.host, platform.port) as link:
        yield platform, link


def test_both_legs_go_through_the_link() -> None:
    async def main() -> None:
        async with linked() as (platform, link), connected(platform, link.url) as socket:
            delivery = platform.push(b"x" * 1_000_000)
            await answer(socket, await receive(socket))
            await delivery.acked()
            assert (2, 1) == (link.accepted, link.connections)

    asyncio.run(main())


@pytest.mark.parametrize("how", ["reset", "fin"])
def test_a_cut_is_seen_on_both_sides(how: str) -> None:
    async def main() -> None:
        async with linked() as (platform, link), connected(platform, link.url) as socket:
            await link.cut("fin" if how == "fin" else "reset")
            with pytest.raises(ConnectionClosedError):
                await socket.recv()
            await platform.watch.until(lambda: not platform.connections, "the platform's side is gone")
            assert 0 == link.connections

    asyncio.run(main())


def test_a_cut_of_the_platform_reaches_the_client() -> None:
    async def main() -> None:
        async with linked() as (platform, link), connected(platform, link.url) as socket:
            await platform.cut()
            with pytest.raises(ConnectionClosedError):
                await socket.recv()

    asyncio.run(main())


def test_a_stall_holds_everything_and_loses_nothing() -> None:
    async def main() -> None:
        async with linked() as (platform, link), connected(platform, link.url) as socket:
            link.stall()
            delivery = platform.push(b"{}")
            with pytest.raises(TimeoutError):
                await receive(socket, within=0.1)
            link.resume()
            await answer(socket, await receive(socket))
            await delivery.acked()
            assert 1 == delivery.pushes

    asyncio.run(main())


def test_a_throttled_link_takes_its_time() -> None:
    async def main() -> float:
        async with linked() as (platform, link), connected(platform, link.url) as socket:
            link.rate = 50_000
            started = asyncio.get_running_loop().time()
            platform.push(b"x" * 20_000)
            assert 20_000 == len((await receive(socket)).payload)
            return asyncio.get_running_loop().time() - started

    assert 0.3 < asyncio.run(main()) < 5


def test_a_black_hole_accepts_and_never_answers() -> None:
    async def main() -> None:
        async with linked() as (platform, link):
            link.blackhole = True
            with pytest.raises(requests.ReadTimeout):
                await call_endpoint(link.url, timeout=0.1)
            assert (1, 0) == (link.accepted, len(platform.endpoint_calls))

    asyncio.run(main())


def test_a_refusing_link_listens_again_on_its_port() -> None:
    async def main() -> None:
        async with linked() as (platform, link):
            url = link.url
            link.refuse()
            with pytest.raises(requests.ConnectionError):
                await call_endpoint(url)
            await link.start()
            async with connected(platform, url):
                assert url == link.url

    asyncio.run(main())


def test_a_link_to_nowhere_resets() -> None:
    async def main() -> None:
        async with Link("127.0.0.1", 1) as link:
            with pytest.raises(requests.ConnectionError):
                await call_endpoint(link.url)

    asyncio.run(main())


def test_both_legs_go_through_a_proxy_with_a_password() -> None:
    async def main() -> None:
        async with Platform() as platform, ConnectProxy("user:pass") as proxy:
            response = await call_endpoint(platform.url, proxies={"http": proxy.url})
            async with connect(response.json()["data"]["URL"], proxy=proxy.url):
                await platform.connected()
            target = f"127.0.0.1:{platform.port}"
            # websockets asks without and with the password, or at once with it.
            assert ProxyRequest("POST", target, authorized=True) == proxy.requests[0]
            assert ProxyRequest("CONNECT", target, authorized=True) == proxy.requests[-1]

    asyncio.run(main())


def test_a_proxy_refuses_those_without_the_password() -> None:
    async def main() -> None:
        async with Platform() as platform, ConnectProxy("user:pass") as proxy:
            bare = proxy.url.replace("user:pass@", "")
            assert 407 == (await call_endpoint(platform.url, proxies={"http": bare})).status_code
            with pytest.raises(InvalidProxyStatus):
                await connect(await socket_url(platform.url), proxy=bare)
            assert {False} == {request.authorized for request in proxy.requests}

    asyncio.run(main())


def test_a_proxy_leads_invented_names_to_loopback_and_others_nowhere() -> None:
    async def main() -> None:
        async with Platform() as platform, ConnectProxy() as proxy:
            proxy.routes["open.feishu.test:80"] = (platform.host, platform.port)
            proxies = {"http": proxy.url}
            found = await call_endpoint("http://open.feishu.test", proxies=proxies)
            assert found.json()["data"]["URL"].startswith("ws://open.feishu.test/ws/v2?")
            assert 502 == (await call_endpoint("http://127.0.0.1:1", proxies=proxies)).status_code

    asyncio.run(main())
