"""One broken link at a time: the doctor names it and its mend, and goes on with what does not hang on it."""

import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from listener.simulator import PlatformThread, faults
from listener.simulator.openapi import TOKEN_PATH
from listener.simulator.tickets_api import FIELDS_PATH
from tests.daemon import Daemon
from tests.doctor.examined import HELPDESK, OURS, examine
from tests.inprocess import Commands
from tests.small_disk import small_disk

STEPS = [
    *("settings", "secret", "journal", "disk", "sinks", "gaps", "service", "proxy", "name", "tls", "clock"),
    *("tenant token", "clients", "endpoint", "connection", "helpdesk"),
]


@pytest.fixture
def daemon(tmp_path: Path, stand_in: PlatformThread) -> Iterator[Daemon]:
    """A service that is well."""
    with Daemon(tmp_path, domain=stand_in.url) as running:
        running.ready()
        yield running


def write(commands: Commands, config: str) -> None:
    (commands.home / "config.toml").write_text(config)
    (commands.home / "config.toml").chmod(0o600)


def test_all_is_well(commands: Commands, stand_in: PlatformThread, daemon: Daemon) -> None:
    found = examine(commands, stand_in.url)
    assert (0, STEPS, STEPS) == (found.rc, list(found.steps), found.named("ok"))
    assert f"pid {daemon.pid}: connected since" in found.said("service")
    assert "1 online, 1 expected" in found.said("clients")
    assert "127.0.0.1" in found.said("name")


def test_for_people_it_is_a_line_a_step(commands: Commands, stand_in: PlatformThread) -> None:
    result = commands.run("doctor", domain=stand_in.url, **OURS | {"FEISHU_HELPDESK_TOKEN": "wrong-secret"})
    assert (1, "") == (result.rc, result.err)
    lines = result.out.splitlines()
    assert "ok       settings" in lines[0]
    assert lines[-2].startswith("FAILED   helpdesk     the platform answered code 154001")
    assert "→ check feishu.helpdesk_id" in lines[-1]


def test_settings(commands: Commands, stand_in: PlatformThread) -> None:
    write(commands, '[feishu]\napp_idd = "cli_a"\n')
    found = examine(commands, stand_in.url)
    assert (1, ["settings"]) == (found.rc, found.named("failed"))
    assert 'did you mean "app_id"' in found.said("settings")


def test_secret(commands: Commands, stand_in: PlatformThread) -> None:
    write(commands, '[feishu]\napp_secret_file = "gone"\n')
    found = examine(commands, stand_in.url, FEISHU_APP_SECRET="")
    assert (1, ["secret"]) == (found.rc, found.named("failed"))
    assert ["tenant token", "clients", "endpoint", "connection", "helpdesk"] == found.named("skipped")
    assert "gone does not exist" in found.said("secret")


def test_a_secrets_file_that_others_can_read(commands: Commands, stand_in: PlatformThread) -> None:
    write(commands, '[feishu]\napp_secret_file = "secret"\n')
    (commands.home / "secret").write_text("demo-secret")
    (commands.home / "secret").chmod(0o644)
    found = examine(commands, stand_in.url, FEISHU_APP_SECRET="")
    assert (0, ["secret", "service"]) == (found.rc, found.named("warning"))
    assert "chmod 600" in found.said("secret")


def test_journal(commands: Commands, stand_in: PlatformThread) -> None:
    (commands.home / "state").mkdir()
    (commands.home / "state" / "helpdesk.db").write_text("this is no database " * 100)
    found = examine(commands, stand_in.url)
    assert (1, "journal") == (found.rc, found.named("failed")[0])
    assert {"journal", "service"} >= set(found.named("failed"))
    assert "helpdesk.db" in found.said("journal")


def test_a_journal_that_cannot_be_made(commands: Commands, stand_in: PlatformThread) -> None:
    (commands.home / "file").touch()
    write(commands, f'[journal]\npath = "{commands.home}/file/helpdesk.db"\n')
    found = examine(commands, stand_in.url)
    assert (1, "journal") == (found.rc, found.named("failed")[0])
    assert "journal.path" in found.said("journal")


def test_disk(commands: Commands, stand_in: PlatformThread, tmp_path: Path) -> None:
    with small_disk(tmp_path / "small") as disk:
        write(commands, f'[journal]\npath = "{disk.path}/helpdesk.db"\n')
        disk.fill(leave=4096)
        found = examine(commands, stand_in.url)
    assert (1, ["disk"]) == (found.rc, found.named("failed"))
    assert "4KiB free" in found.said("disk")


def test_sinks(commands: Commands, stand_in: PlatformThread) -> None:
    write(commands, f'[[sinks]]\nname = "archive"\ntype = "file"\npath = "{commands.home}"\n')
    found = examine(commands, stand_in.url)
    assert (1, ["sinks"]) == (found.rc, found.named("failed"))
    assert f"{commands.home} can't be written" in found.said("sinks")


def test_service(commands: Commands, stand_in: PlatformThread) -> None:
    with Daemon(commands.home, domain="http://127.0.0.1:9") as deaf:
        deaf.until(lambda: deaf.said("cannot connect"), "its first failure")
        found = examine(commands, stand_in.url)
    assert (1, ["service"]) == (found.rc, found.named("failed"))
    assert "not connected" in found.said("service")


def test_proxy(commands: Commands, stand_in: PlatformThread) -> None:
    found = examine(commands, stand_in.url, HTTPS_PROXY="http://user:wrong-secret@127.0.0.1:9")
    assert (1, ["proxy"]) == (found.rc, found.named("failed"))
    assert STEPS[STEPS.index("name") :] == found.named("skipped")
    assert "127.0.0.1:9 can't be reached" in found.said("proxy")


def test_name(commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(host: str, *_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nothing)
    found = examine(commands, "https://open.feishu.invalid")
    assert (1, ["name"]) == (found.rc, found.named("failed"))
    assert "open.feishu.invalid can't be resolved: Name or service not known" in found.said("name")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of an authority of our own, and its key."""
    home = tmp_path_factory.mktemp("tls")
    names = ["-subj", "/CN=stand-in", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    files = ["-keyout", str(home / "key.pem"), "-out", str(home / "ca.pem")]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names, *files]
    subprocess.run(command, check=True, capture_output=True)
    return home


@pytest.fixture
def secure(certificate: Path) -> Iterator[PlatformThread]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "ca.pem", certificate / "key.pem")
    with PlatformThread(tls=context) as platform:
        yield platform


def test_tls(commands: Commands, secure: PlatformThread, certificate: Path) -> None:
    found = examine(commands, secure.url)
    assert (1, ["tls"]) == (found.rc, found.named("failed"))
    assert "certificate verify failed" in found.said("tls")
    assert "feishu.ca_file" in found.said("tls")
    write(commands, f'[feishu]\nca_file = "{certificate / "ca.pem"}"\n')
    mended = examine(commands, secure.url.replace("127.0.0.1", "localhost"))
    assert (0, "ok") == (mended.rc, mended.steps["tls"]["state"])


def test_clock(commands: Commands, stand_in: PlatformThread) -> None:
    stand_in.platform.faults.clock_skew = 3600
    found = examine(commands, stand_in.url)
    assert (1, ["clock"]) == (found.rc, found.named("failed"))
    assert "behind the platform's" in found.said("clock")
    stand_in.platform.faults.clock_skew = -100
    found = examine(commands, stand_in.url)
    assert (0, "warning") == (found.rc, found.steps["clock"]["state"])
    assert "ahead of the platform's" in found.said("clock")


def test_tenant_token(commands: Commands, stand_in: PlatformThread) -> None:
    stand_in.platform.faults.api[TOKEN_PATH] = [faults.code(99991662, "app is not in use", 400)]
    found = examine(commands, stand_in.url)
    assert (1, ["tenant token"]) == (found.rc, found.named("failed"))
    assert ["clients", "helpdesk"] == found.named("skipped")
    assert "版本管理与发布" in found.said("tenant token")


def test_clients(commands: Commands, stand_in: PlatformThread) -> None:
    stand_in.platform.api.online = lambda: 3
    found = examine(commands, stand_in.url)
    assert (1, ["clients"]) == (found.rc, found.named("failed"))
    assert "3 online, 1 expected" in found.said("clients")
    write(commands, "[feishu]\nexpected_clients = 3\n")
    assert 0 == examine(commands, stand_in.url).rc


def test_endpoint(commands: Commands, stand_in: PlatformThread) -> None:
    stand_in.platform.faults.endpoint += [faults.HTML_PAGE]
    found = examine(commands, stand_in.url)
    assert (1, ["endpoint"]) == (found.rc, found.named("failed"))
    assert ["connection"] == found.named("skipped")


@pytest.mark.parametrize(
    ("answer", "words"), [(faults.refused(403, "forbidden"), "403"), (faults.CONNECTION_LIMIT, "another client")]
)
def test_connection(commands: Commands, stand_in: PlatformThread, answer: faults.Reply, words: str) -> None:
    stand_in.platform.faults.handshake += [answer]
    found = examine(commands, stand_in.url)
    assert (1, ["connection"]) == (found.rc, found.named("failed"))
    assert words in found.said("connection")


def test_helpdesk(commands: Commands, stand_in: PlatformThread) -> None:
    found = examine(commands, stand_in.url, FEISHU_HELPDESK_TOKEN="wrong-secret")
    assert (1, ["helpdesk"]) == (found.rc, found.named("failed"))
    assert "154001" in found.said("helpdesk")
    assert "API 凭证" in found.said("helpdesk")
    stand_in.platform.api.scopes.clear()
    assert "helpdesk:all:readonly" in examine(commands, stand_in.url).said("helpdesk")


def test_without_a_helpdesk_it_says_what_is_missing(commands: Commands, stand_in: PlatformThread) -> None:
    found = examine(commands, stand_in.url, FEISHU_HELPDESK_ID="", FEISHU_HELPDESK_TOKEN="")
    assert (0, "warning") == (found.rc, found.steps["helpdesk"]["state"])
    assert "helpdesk-listen subscribe" in found.said("helpdesk")
    assert 1 == examine(commands, stand_in.url, FEISHU_HELPDESK_TOKEN="").rc


def test_other_helpdesks(commands: Commands, stand_in: PlatformThread) -> None:
    stand_in.platform.api.helpdesks["7"] = "ht-other"
    (commands.home / "seven").write_text("ht-other")
    found = examine(commands, stand_in.url, "--helpdesk-id", "7", "--token-file", "seven")
    assert (0, "7: token and scope") == (found.rc, found.said("helpdesk")[:18])
    assert HELPDESK not in found.said("helpdesk")


def test_webhook(commands: Commands, stand_in: PlatformThread) -> None:
    write(commands, '[source]\ntype = "webhook"\nlisten = "127.0.0.1:9"\nverification_token = "wrong-secret"\n')
    found = examine(commands, stand_in.url)
    assert (1, ["webhook"]) == (found.rc, found.named("failed"))
    assert not {"clients", "endpoint", "connection"} & set(found.steps)
    assert [] == list(stand_in.platform.handshakes)


CALLING = "[enrich]\nticket = true\n[backfill]\nafter_outage = true\n"


def test_scopes(commands: Commands, stand_in: PlatformThread) -> None:
    write(commands, CALLING)
    stand_in.platform.api.desk.say("1", "11", "hello", int(time.time() * 1000))
    well = examine(commands, stand_in.url)
    assert "enrich.ticket, backfill.after_outage: the scope is granted" in well.said("scopes")
    assert "its messages" in well.said("scopes")
    stand_in.platform.faults.api[FIELDS_PATH] = [faults.code(99991672, "Access denied", 400)]
    broken = examine(commands, stand_in.url)
    assert (1, ["scopes"]) == (broken.rc, broken.named("failed"))
