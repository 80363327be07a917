"""The nats sink against a real server: what stands in the stream, what is said where it can't, and that it heals."""

import json
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from listener.base.errors import Unavailable
from listener.event import FORMATS
from listener.settings.secrets import Secret
from listener.simulator import Link, PlatformThread
from listener.sinks.nats_config import NatsConfig, Servers
from listener.sinks.network import NetworkConfig
from tests.engines.configs import config_of
from tests.engines.probing import probed
from tests.engines.server import Nats, add_stream
from tests.engines.test_postgresql_outages import waits
from tests.journal.keeping import keep, opened, payload, rows
from tests.network.sending import drained, fill, in_order, sending
from tests.samples import received, ticket
from tests.small_disk import small_disk


def config(server: Nats, url: str = "", **settings: Any) -> NetworkConfig:
    given = {"servers": Servers()([url or server.url()]), "create": True, "timeout": 5.0} | settings
    return config_of("nats", **given)


@pytest.mark.parametrize("debians", [False, True])
@pytest.mark.parametrize("atomic", [True, False])
def test_each_event_once_in_the_order_of_its_ticket(tmp_path: Path, debians: bool, atomic: bool) -> None:
    """Also when a second journal brings the same events again, in batches that hold some that are known."""
    server = Nats()
    if debians:
        server.folder = Path("/usr/sbin")
        if not (server.folder / "nats-server").is_file():
            pytest.skip("Debian's nats-server is not installed here")
    with server:
        if not atomic:
            add_stream(server, "HELPDESK", subjects=["helpdesk.*"])
        for number, count in enumerate((150, 300)):
            with opened(tmp_path / f"{number}.db") as journal:
                ids = fill(journal, count, 7)
                with sending(journal, config(server, max_events=50)) as worker:
                    drained(worker)
        found = server.found()
    assert sorted(ids) == sorted(found)
    assert in_order(found, 7)


def test_a_message_has_its_tickets_subject_and_an_id_that_breaks_no_header(tmp_path: Path, nats_server: Nats) -> None:
    name, odd = "MESSAGE", "a\r\nNats-Rollup: all 中"
    with opened(tmp_path / "j.db") as journal:
        keep(journal, payload("e1"), payload(odd, ticket=ticket(ticket_id="a.*.> b")))
        wanted = config(nats_server, stream=name, subject="message.{ticket_id}.in", max_events=1)
        with sending(journal, wanted) as worker:
            drained(worker)

    async def messages(context: Any) -> list[Any]:
        return [await context.get_msg(name, seq) for seq in (1, 2)]

    first, second = nats_server.call(messages)
    assert ("message.6626871355780366331.in", "e1") == (first.subject, json.loads(first.data)["event_id"])
    assert {"Nats-Msg-Id": "e1", "Nats-Expected-Stream": name} == first.headers
    assert "message.a_____b.in" == second.subject
    assert "a%0D%0ANats-Rollup:%20all%20%E4%B8%AD" == second.headers["Nats-Msg-Id"]


def test_a_stream_that_is_missing_or_forgets_too_soon_is_told_with_the_command_that_corrects_it(
    tmp_path: Path, nats_server: Nats
) -> None:
    wanted = config(nats_server, stream="BRIEF", subject="BRIEF.{ticket_id}", create=False)
    with opened(tmp_path / "j.db") as journal, sending(journal, wanted) as worker:
        fill(journal, 20, 5)
        waits(worker, "there is no stream BRIEF: set create = true, or `nats stream add BRIEF --subjects 'BRIEF.*'")
        assert worker.state.paused
        add_stream(nats_server, "BRIEF", duplicate_window=120)
        waits(worker, "stream BRIEF knows ids for 120 s, not 8 h: `nats stream edit BRIEF --dupe-window 8h`")
        with pytest.raises(Unavailable, match="knows ids for 120 s"):
            probed(wanted)
        able = config(nats_server, stream="BRIEF", subject="BRIEF.{ticket_id}", name="able")
        assert "will be made or changed" in probed(able)
        with sending(journal, able) as other:
            drained(other)
        drained(worker)
    assert 20 == len(nats_server.found("BRIEF"))


def test_an_event_that_is_too_large_is_a_dead_letter_alone(tmp_path: Path) -> None:
    with Nats(max_payload="8192") as server, opened(tmp_path / "j.db") as journal:
        fill(journal, 30, 5)
        keep(journal, payload("large", text="x" * 9000))
        fill(journal, 30, 5, first=30)
        with sending(journal, config(server)) as worker:
            drained(worker)
        assert [31] == [seq for (seq,) in rows(journal.path, "SELECT seq FROM dead_letters")]
        assert 60 == len(server.found())


@pytest.mark.parametrize("max_events", [1, 50])
def test_headers_count_for_what_the_server_takes(tmp_path: Path, max_events: int) -> None:
    """It would end the connection, again and again."""
    most = 8192
    short = len(FORMATS["record"](received(payload("e1", text=""), seq=1)))
    text = "x" * ((most - short) // 2)  # `plain_text` has it, too
    with Nats(max_payload=str(most)) as server, opened(tmp_path / "j.db") as journal:
        keep(journal, payload("e1", text=text), payload("e2", text=text[:-200]))
        with sending(journal, config(server, max_events=max_events)) as worker:
            drained(worker)
        assert ["e2"] == server.found()
        assert [1] == [seq for (seq,) in rows(journal.path, "SELECT seq FROM dead_letters")]


def test_the_server_gone_and_back(tmp_path: Path) -> None:
    with Nats() as server, opened(tmp_path / "j.db") as journal, sending(journal, config(server)) as worker:
        fill(journal, 50, 5)
        drained(worker)
        server.kill()
        fill(journal, 50, 5, first=50)
        waits(worker, f"127.0.0.1:{server.port}: ")
        with pytest.raises(Unavailable, match="refused"):
            probed(config(server))
        server.start()
        drained(worker)
        assert 100 == len(server.found()) == len(set(server.found()))


def test_a_connection_that_is_reset_is_made_anew(tmp_path: Path) -> None:
    with Nats() as server, PlatformThread() as thread, opened(tmp_path / "j.db") as journal:
        link = Link(port=server.port)
        thread.call(link.start)
        with sending(journal, config(server, f"nats://127.0.0.1:{link.port}")) as worker:
            for number in range(3):
                fill(journal, 50, 5, first=50 * number)
                drained(worker)
                thread.call(link.cut)
        thread.call(link.close)
        assert 150 == len(server.found()) == len(set(server.found()))


def test_its_disk_full_and_room_again(tmp_path: Path) -> None:
    """The server gives JetStream up then; it is started again once there is room."""
    with ExitStack() as held_up, small_disk(tmp_path / "disk", "8m") as disk, opened(tmp_path / "j.db") as journal:
        server = held_up.enter_context(Nats(store_dir=f'"{disk.path}"'))
        with sending(journal, config(server, timeout=1.0)) as worker:
            fill(journal, 10, 5)
            drained(worker)
            disk.fill()
            fill(journal, 500, 5, first=10)
            waits(worker, "")
            said = str(worker.state.last_error)
            assert "stream HELPDESK: " in said or "no answer" in said or "JetStream" in said, said
            disk.empty()
            server.kill()
            server.start()
            drained(worker)
            assert 510 == len(server.found()) == len(set(server.found()))


def test_its_password_changed(tmp_path: Path) -> None:
    """In the settings, so a reload brings the new one; here the server takes the old one back."""
    with Nats(authorization='{user: "u", password: "first-word"}') as server, opened(tmp_path / "j.db") as journal:
        wanted = config(server, server.url(user="u:first-word@"))
        with sending(journal, wanted) as worker:
            fill(journal, 10, 5)
            drained(worker)
            server.kill()
            server.settings["authorization"] = '{user: "u", password: "second-word"}'
            server.start()
            fill(journal, 10, 5, first=10)
            waits(worker, "uthoriz")
            assert worker.state.paused
            with pytest.raises(Unavailable, match="uthoriz"):
                probed(wanted)
            server.kill()
            server.settings["authorization"] = '{user: "u", password: "first-word"}'
            server.start()
            drained(worker)
    assert "first-word" not in repr(wanted)


def test_what_is_not_permitted_is_told_at_once(tmp_path: Path) -> None:
    permissions = '{users: [{user: "u", password: "p-word", permissions: {publish: {allow: ["$JS.API.>"]}}}]}'
    with ExitStack() as held, Nats(authorization=permissions) as server:
        journal = held.enter_context(opened(tmp_path / "j.db"))
        fill(journal, 10, 5)
        wanted = config(server, server.url(user="u:p-word@"), timeout=60.0)
        worker = held.enter_context(sending(journal, wanted))
        waits(worker, "ermissions violation")
        assert worker.state.paused


def test_tls_is_meant_where_it_is_written(tmp_path: Path, nats_server: Nats) -> None:
    """nats-py would send the password in plain text to a server that does not ask for TLS."""
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")]
    subprocess.run([*command, *files, "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    with pytest.raises(Unavailable, match="offers no TLS"):
        probed(config(nats_server, nats_server.url("tls", "u:p-word@")))
    held = f'{{cert_file: "{tmp_path}/cert.pem", key_file: "{tmp_path}/key.pem"}}'
    with Nats(tls=held) as server:
        url = server.url("tls")
        assert "can be reached" in probed(config(server, url, ca_file=tmp_path / "cert.pem"))
        with pytest.raises(Unavailable, match="TLS: "):
            probed(config(server, url))


def test_settings() -> None:
    rule = Servers()
    assert ["tls://h:4222", "nats://h:1"] == [one.shown for one in rule(["tls://u:p@h", "nats://h:1"])]
    for wrong in ([], "nats://h", ["http://h"], ["nats://"], ["nats://h/x"], [7]):
        with pytest.raises(ValueError):  # noqa: PT011 a rule says no more
            rule(wrong)
    with pytest.raises(ValueError, match="readable by anyone"):
        NatsConfig(name="n", servers=(Secret("nats://n.example"),))
    assert NatsConfig(name="n", servers=(Secret("nats://n.example"),), allow_plaintext=True)
