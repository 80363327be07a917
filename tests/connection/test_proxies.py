"""Through a proxy, with and without a password; networks that inspect TLS; Lark: each on both legs."""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from listener.simulator import ConnectProxy, PlatformThread
from listener.simulator.proxy import ProxyRequest
from tests.connection.listening import FEISHU, LARK, PROMPT, event
from tests.daemon import Daemon

USER, PASSWORD, ENCODED = "proxy-user", "p@ss:w/rd%", "p%40ss%3Aw%2Frd%25"


class Network(NamedTuple):
    """A stand-in of the platform, and the proxy that is the way to it."""

    stand_in: PlatformThread
    proxy: ConnectProxy

    @property
    def proxy_url(self) -> str:
        """With the password as a URL holds it."""
        userinfo = f"{USER}:{ENCODED}@" if self.proxy.password else ""
        return f"http://{userinfo}127.0.0.1:{self.proxy.port}"

    @property
    def asked(self) -> list[tuple[str, str]]:
        """(method, target) of what the proxy let through."""
        return [(one.method, one.target) for one in self.proxy.requests if one.authorized]

    def works(self, daemon: Daemon) -> None:
        """An event gets through."""
        daemon.ready()
        delivery = self.stand_in.call(self.stand_in.platform.push, event(1))
        self.stand_in.call(delivery.acked)


@contextmanager
def network(password: str | None = f"{USER}:{PASSWORD}", tls: ssl.SSLContext | None = None) -> Iterator[Network]:
    with PlatformThread(tls=tls) as stand_in:
        stand_in.platform.gateway.client_config = dict(PROMPT)
        here = (stand_in.platform.host, stand_in.platform.port)
        proxy = ConnectProxy(password, routes={f"{host}:443": here for host in (LARK, FEISHU)})
        stand_in.call(proxy.start)
        try:
            yield Network(stand_in, proxy)
        finally:
            stand_in.call(proxy.close)


def test_both_legs_go_through_the_proxy_of_the_environment(tmp_path: Path) -> None:
    with network() as way, Daemon(tmp_path, domain=way.stand_in.url, env={"HTTPS_PROXY": way.proxy_url}) as daemon:
        way.works(daemon)
        target = f"127.0.0.1:{way.stand_in.platform.port}"
        assert [("POST", target), ("CONNECT", target)] == way.asked
        assert 0 == daemon.stop()


@pytest.mark.slow
def test_with_no_proxy_neither_leg_does(tmp_path: Path) -> None:
    env = {"NO_PROXY": "127.0.0.1,localhost"}
    with network() as way:
        with Daemon(tmp_path, domain=way.stand_in.url, env=env | {"HTTPS_PROXY": way.proxy_url}) as daemon:
            way.works(daemon)
        assert ([], 0) == (way.proxy.requests, way.proxy.accepted)


@pytest.mark.slow
def test_the_settings_proxy_comes_first(tmp_path: Path) -> None:
    with network() as way:
        config = f'[feishu]\nproxy = "{way.proxy_url}"\n'
        env = {"HTTPS_PROXY": "http://127.0.0.1:1"}
        with Daemon(tmp_path, domain=way.stand_in.url, config=config, env=env) as daemon:
            way.works(daemon)
        assert ["POST", "CONNECT"] == [method for method, _ in way.asked]


@pytest.mark.slow
def test_a_proxy_without_a_password(tmp_path: Path) -> None:
    with network(None) as way, Daemon(tmp_path, domain=way.stand_in.url, env={"HTTPS_PROXY": way.proxy_url}) as daemon:
        way.works(daemon)
        assert ["POST", "CONNECT"] == [method for method, _ in way.asked]


@pytest.mark.parametrize("host", [LARK, pytest.param(FEISHU, marks=pytest.mark.slow)])
def test_https_and_wss_through_a_proxy_with_an_authority_of_its_own(
    host: str, tmp_path: Path, authority: Path, inspected: ssl.SSLContext
) -> None:
    """Lark is the same setting; the names resolve at the proxy alone, and the proxy's network inspects TLS."""
    config = f'[feishu]\nca_file = "{authority}/ca.pem"\n[log]\nlevel = "debug"\n'
    with network(tls=inspected) as way:
        env = {"HTTPS_PROXY": way.proxy_url}
        with Daemon(tmp_path, domain=f"https://{host}", config=config, env=env) as daemon:
            way.works(daemon)
            assert [("CONNECT", f"{host}:443")] * 2 == way.asked
            assert 0 == daemon.stop()
            said = "\n".join([*daemon.stderr, *daemon.stdout])
        hidden = [PASSWORD, ENCODED, "demo-secret", *way.stand_in.platform.gateway.secrets]
        assert [] == [secret for secret in hidden if secret in said]


@pytest.mark.slow
def test_ssl_cert_file_does_what_ca_file_does(tmp_path: Path, authority: Path, inspected: ssl.SSLContext) -> None:
    with network(tls=inspected) as way:
        env = {"SSL_CERT_FILE": str(authority / "ca.pem")}
        with Daemon(tmp_path, domain=way.stand_in.url, env=env) as daemon:
            way.works(daemon)


@pytest.mark.slow
@pytest.mark.parametrize("leg", ["endpoint", "socket"])
def test_an_unknown_authority_is_refused_on_both_legs(leg: str, tmp_path: Path, inspected: ssl.SSLContext) -> None:
    with PlatformThread(tls=inspected) as inspecting, PlatformThread() as plain:
        socket_url = inspecting.url.replace("https", "wss") + "/ws/v2?device_id=1&service_id=1"
        plain.platform.gateway.url = socket_url
        domain = inspecting.url if leg == "endpoint" else plain.url
        with Daemon(tmp_path, domain=domain) as daemon:
            daemon.until(lambda: daemon.said("feishu.ca_file"), "a hint")
            assert daemon.said("certificate verify failed") == 1
            assert 0 == daemon.stop()
        assert [0, 0] == [len(inspecting.platform.endpoint_calls), len(inspecting.platform.handshakes)]


@pytest.mark.slow
def test_a_wrong_password_is_told_and_shown_nowhere(tmp_path: Path) -> None:
    with network() as way:
        proxy = way.proxy_url.replace(ENCODED, "wr0ng-passw0rd")
        with Daemon(tmp_path, domain=f"https://{FEISHU}", env={"HTTPS_PROXY": proxy}) as daemon:
            daemon.until(lambda: daemon.said("HTTPS_PROXY"), "a hint")
            assert daemon.said("407 ")
            assert 0 == daemon.stop()
            assert not any(word in "\n".join(daemon.stderr) for word in ("wr0ng", PASSWORD, ENCODED))
        assert {False} == {request.authorized for request in way.proxy.requests}


@pytest.mark.slow
def test_a_wrong_password_on_the_sockets_leg_is_told(tmp_path: Path) -> None:
    """The endpoint needs no proxy here; the socket's host does."""
    with network() as way, PlatformThread() as endpoint:
        endpoint.platform.gateway.url = f"wss://{FEISHU}/ws/v2?device_id=1&service_id=1"
        env = {"HTTPS_PROXY": way.proxy_url.replace(ENCODED, "wr0ng-passw0rd"), "NO_PROXY": "127.0.0.1"}
        with Daemon(tmp_path, domain=endpoint.url, env=env) as daemon:
            daemon.until(lambda: daemon.said("HTTPS_PROXY"), "a hint")
            assert daemon.said("407 ")
        assert {ProxyRequest("CONNECT", f"{FEISHU}:443", authorized=False)} == set(way.proxy.requests)


@pytest.mark.slow
@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "http://user:sec-ret-password@:port", "http://"])
def test_a_proxy_that_can_not_be_used_is_a_configuration_error(proxy: str, tmp_path: Path) -> None:
    with Daemon(tmp_path, domain="https://open.feishu.cn", env={"ALL_PROXY": proxy}) as daemon:
        assert 78 == daemon.wait()
        assert daemon.said("ALL_PROXY")
        assert not daemon.said("sec-ret")


@pytest.mark.slow
@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_ca_file_that_can_not_be_used_is_a_configuration_error(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "ca.pem").write_text(content)
    config = '[feishu]\nca_file = "ca.pem"\n'
    with Daemon(tmp_path, domain="https://open.feishu.cn", config=config) as daemon:
        assert 78 == daemon.wait()
        assert daemon.said(os.fspath(tmp_path / "ca.pem"))


@pytest.mark.slow
def test_the_secret_goes_nowhere_in_plain_text(tmp_path: Path) -> None:
    with network(None) as way:
        env = {"HTTPS_PROXY": way.proxy_url}
        with Daemon(tmp_path, domain="http://open.feishu.cn", env=env) as daemon:
            assert 78 == daemon.wait()
        assert [] == way.proxy.requests
