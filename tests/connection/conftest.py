"""An environment that leads to no proxy, and an authority of the tests' own."""

import ssl
import subprocess
from pathlib import Path

import pytest

from tests.connection.listening import FEISHU, LARK

_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(scope="package")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with ca.pem and a certificate of it, server.pem, for the platform's names."""
    home = tmp_path_factory.mktemp("authority")
    names = ",".join(f"DNS:{name}" for name in (LARK, FEISHU)) + ",IP:127.0.0.1"
    (home / "names").write_text(f"subjectAltName={names}\n")
    for command in (
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=inspector",
        "req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=server",
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.crt",
    ):
        subprocess.run(["openssl", *command.split()], cwd=home, check=True, capture_output=True)
    (home / "server.pem").write_bytes((home / "server.crt").read_bytes() + (home / "server.key").read_bytes())
    return home


@pytest.fixture(scope="package")
def inspected(authority: Path) -> ssl.SSLContext:
    """What the stand-in presents."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(authority / "server.pem")
    return context
