"""Which way a URL goes: proxies, NO_PROXY, and what goes nowhere in plain text."""

import base64
import os
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from listener.base.errors import ConfigError, Unreachable
from listener.base.redact import redact
from listener.feishu.client import Timings, checked_url
from listener.feishu.transport import BoundedRequests, Network, is_loopback
from listener.feishu.tunnel import check_answer, connect_request

ENDPOINT, SOCKET = "https://open.feishu.cn/callback/ws/endpoint", "wss://msg-frontier.feishu.cn/ws/v2?device_id=1"
PROXY = "http://proxy.test:3128"
Env = pytest.MonkeyPatch


@pytest.fixture(autouse=True)
def env() -> Iterator[Env]:
    """An environment without proxies, to be changed."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.lower() in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file"):
                patch.delenv(name)
        yield patch


@pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("url", [ENDPOINT, SOCKET])
def test_both_legs_take_the_proxy_of_the_environment(name: str, url: str, env: Env) -> None:
    env.setenv(name, PROXY)
    assert PROXY == Network().proxy_for(url)


def test_no_proxy_at_all() -> None:
    assert [None, None] == [Network().proxy_for(url) for url in (ENDPOINT, SOCKET)]


def test_http_proxy_is_not_for_https(env: Env) -> None:
    env.setenv("http_proxy", PROXY)
    assert Network().proxy_for(ENDPOINT) is None


def test_a_bare_host_and_port_is_http(env: Env) -> None:
    env.setenv("HTTPS_PROXY", "proxy.test:3128")
    assert PROXY == Network().proxy_for(SOCKET)


def test_the_setting_comes_before_the_environment(env: Env) -> None:
    env.setenv("HTTPS_PROXY", "http://other.test:1")
    assert PROXY == Network(proxy=PROXY).proxy_for(ENDPOINT)


@pytest.mark.parametrize("no_proxy", ["*", "feishu.cn", ".feishu.cn", "a.test,msg-frontier.feishu.cn,open.feishu.cn"])
@pytest.mark.parametrize("url", [ENDPOINT, SOCKET])
@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
def test_no_proxy_holds_for_both_legs(name: str, no_proxy: str, url: str, env: Env) -> None:
    env.setenv(name, no_proxy)
    assert Network(proxy=PROXY).proxy_for(url) is None


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", "ws://localhost:1/x"])
def test_plain_text_goes_through_a_local_proxy_only(url: str) -> None:
    assert Network(proxy=PROXY).proxy_for(url) is None
    assert "http://127.0.0.1:3128" == Network(proxy="http://127.0.0.1:3128").proxy_for(url)


@pytest.mark.parametrize("url", ["http://open.feishu.cn/x", "ftp://open.feishu.cn/x", "open.feishu.cn/x"])
def test_a_secret_is_not_sent_in_plain_text(url: str) -> None:
    with pytest.raises(ConfigError):
        BoundedRequests(Network()).post(url, json={"AppSecret": "s"})


@pytest.mark.parametrize(
    "proxy", ["socks5://127.0.0.1:1", "ftp://h:1", "http://", "http://h:0", "http://h:99999", "http://[::1", "://h"]
)
def test_a_proxy_that_can_not_be_used_is_refused_without_showing_it(proxy: str, env: Env) -> None:
    env.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(ConfigError) as refused:
        Network().check()
    assert "HTTPS_PROXY is not a proxy that can be used" == str(refused.value)


def test_a_proxys_password_is_known_as_a_secret_in_both_spellings() -> None:
    Network(proxy="http://user:pr%40xy-pass@proxy.test:1").check()
    assert "*** and ***" == redact("pr@xy-pass and pr%40xy-pass")


@pytest.mark.parametrize(
    ("userinfo", "sent"),
    [
        ("user:pass@", "user:pass"),
        ("us%40r:p%3A%2Fs@", "us@r:p:/s"),
        ("user@", "user:"),
        ("%E7%94%A8:%E5%AF%86@", "用:密"),
    ],
)
def test_the_tunnels_password_is_decoded(userinfo: str, sent: str) -> None:
    request = connect_request(urlsplit(f"http://{userinfo}proxy.test:1"), "feishu.test:443").decode()
    expected = f"Proxy-Authorization: Basic {base64.b64encode(sent.encode()).decode()}"
    assert ["CONNECT feishu.test:443 HTTP/1.1", "Host: feishu.test:443", expected, "", ""] == request.split("\r\n")


def test_a_tunnel_is_open_with_a_2xx_alone() -> None:
    check_answer(b"HTTP/1.1 200 OK\r\n\r\n")
    check_answer(b"HTTP/1.0 204\r\nA: b\r\n\r\n")
    for head in (
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"SSH-2.0 x\r\n\r\n",
        b"HTTP/1.1 407 x\r\n\r\n",
        b"HTTP/1.1 302 x\r\n\r\n",
    ):
        with pytest.raises(Exception, match="the proxy"):
            check_answer(head)


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("LOCALHOST", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("10.0.0.1", False),
        ("localhost.feishu.cn", False),
        ("127.0.0.1.nip.io", False),
        ("0.0.0.0", False),  # noqa: S104 -- not bound to
        ("", False),
        (None, False),
    ],
)
def test_loopback(host: str | None, local: bool) -> None:
    assert local == is_loopback(host)


GOOD = ["wss://h/ws/v2?device_id=1&service_id=7&access_key=k", "ws://127.0.0.1:1/?device_id=1&service_id=2147483647"]
BAD = [
    None,
    7,
    "",
    "wss://h/ws/v2",
    "wss://h/?device_id=1",
    "wss://h/?service_id=1",
    "wss://h/?device_id=1&service_id=2147483648",
    "wss://h/?device_id=1&service_id=-1",
    "wss://h/?device_id=1&service_id=²",
    "ws://h/?device_id=1&service_id=1",
    "https://h/?device_id=1&service_id=1",
    "wss://[::1/?device_id=1&service_id=1",
    "javascript:alert(1)",
]


@pytest.mark.parametrize("url", GOOD)
def test_a_connection_url_that_can_be_used(url: str) -> None:
    assert url == checked_url(url, plain=True)


@pytest.mark.parametrize("url", BAD)
def test_a_connection_url_that_can_not_be_used(url: object) -> None:
    with pytest.raises(Exception, match="the endpoint gave a connection URL"):
        checked_url(url, plain=True)


@pytest.mark.parametrize(
    ("ping", "nonce", "expected"),
    [
        (120, 30, (120, 5)),
        (2, 0, (2, 0)),
        (0, -1, (120, 0)),
        (0.001, 2.5, (1, 2.5)),
        (10**400, 10**400, (300, 5)),
        (float("inf"), float("-inf"), (300, 0)),
        (float("nan"), float("nan"), (120, 5)),
        ("7", "7", (120, 5)),
        (True, True, (120, 5)),
        (None, None, (120, 5)),
    ],
)
def test_the_servers_timings_inside_sane_limits(ping: object, nonce: object, expected: tuple[float, float]) -> None:
    timings = Timings()
    timings.obey(ping, nonce)
    assert expected == (timings.ping_interval, timings.reconnect_nonce)


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("ws://127.0.0.1/ws?device_id=1&service_id=2", False),
        ("ws://msg.example/ws?device_id=1&service_id=2", True),
        ("wss://user:password@127.0.0.1/ws?device_id=1&service_id=2", True),
    ],
)
def test_the_endpoint_can_not_send_us_where_it_likes(url: str, plain: bool) -> None:
    with pytest.raises(Unreachable):
        checked_url(url, plain=plain)
