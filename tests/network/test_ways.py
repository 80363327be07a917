"""The ways to an HTTP end: through a proxy, with an authority of one's own, with a client certificate."""

import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from listener.settings.secrets import Secret
from listener.simulator import ConnectProxy, PlatformThread
from tests.journal.keeping import opened, until
from tests.network.receiving import Receiver
from tests.network.sending import config, drained, fill, sending


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with an authority ca.pem, server.pem and client.pem signed by it, and a client.key."""
    home = tmp_path_factory.mktemp("pem")
    (home / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    new = "-newkey rsa:2048 -nodes -days 2"
    for command in (
        f"req -x509 {new} -subj /CN=ours -keyout ca.key -out ca.pem",
        "req -newkey rsa:2048 -nodes -subj /CN=server -keyout server.key -out server.csr",
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem",
        "req -newkey rsa:2048 -nodes -subj /CN=client -keyout client.key -out client.csr",
        "x509 -req -in client.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out client.pem",
    ):
        subprocess.run(["openssl", *command.split()], cwd=home, check=True, capture_output=True)
    return home


def secure(pem: Path, *, asks_client: bool = False) -> Receiver:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem / "server.pem", pem / "server.key")
    if asks_client:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(pem / "ca.pem")
    return Receiver(tls=context)


def test_an_authority_of_ones_own(tmp_path: Path, pem: Path) -> None:
    with opened(tmp_path / "j.db") as journal, secure(pem) as end:
        fill(journal, 3, 3)
        with sending(journal, config(end.url)) as worker:
            until(lambda: worker.state.retries, "it is not trusted")
        assert [] == end.posts
        with sending(journal, config(end.url, ca_file=pem / "ca.pem")) as worker:
            drained(worker)
        assert 3 == len(end.got)


def test_a_client_certificate(tmp_path: Path, pem: Path) -> None:
    own = {"client_cert": pem / "client.pem", "client_key": pem / "client.key"}
    with opened(tmp_path / "j.db") as journal, secure(pem, asks_client=True) as end:
        fill(journal, 3, 3)
        with sending(journal, config(end.url, ca_file=pem / "ca.pem")) as worker:
            until(lambda: worker.state.retries, "it is refused")
        assert [] == end.posts
        with sending(journal, config(end.url, ca_file=pem / "ca.pem", **own)) as worker:
            drained(worker)
        assert 3 == len(end.got)


@contextmanager
def proxied(password: str) -> Iterator[ConnectProxy]:
    with PlatformThread() as thread:
        proxy = ConnectProxy(password)
        thread.call(proxy.start)
        try:
            yield proxy
        finally:
            thread.call(proxy.close)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_with_a_password(tmp_path: Path, pem: Path, scheme: str, capsys: pytest.CaptureFixture[str]) -> None:
    with Receiver() if scheme == "http" else secure(pem) as end, proxied("user:pass-word") as proxy:
        with opened(tmp_path / "j.db") as journal:
            fill(journal, 3, 3)
            refused = Secret(proxy.url.replace("pass-word", "another"), "***")
            with sending(journal, config(end.url, ca_file=pem / "ca.pem", proxy=refused)) as worker:
                until(lambda: worker.state.retries, "the proxy refuses")
            assert [] == end.posts
            way = Secret(proxy.url, "***")
            with sending(journal, config(end.url, ca_file=pem / "ca.pem", proxy=way)) as worker:
                drained(worker)
        assert 3 == len(end.got)
        assert {"CONNECT" if scheme == "https" else "POST"} == {one.method for one in proxy.requests}
    assert "pass-word" not in "".join(capsys.readouterr())
