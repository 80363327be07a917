"""The redis sink against a real server: what stands in the stream, what is said where it can't, and that it heals."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import redis

from listener.base.errors import ConfigError, Unavailable
from listener.settings.secrets import SecretKind, SecretSource
from listener.sinks.network import NetworkConfig
from listener.sinks.redis import FIELDS, checked
from tests.engines.configs import config_of, held
from tests.engines.probing import probed
from tests.engines.redis_server import RedisServer
from tests.engines.test_postgresql_outages import waits
from tests.journal.keeping import keep, opened, payload, rows
from tests.network.sending import drained, fill, in_order, sending
from tests.samples import ticket
from tests.small_disk import small_disk


def config(server: RedisServer, **settings: Any) -> NetworkConfig:
    return config_of("redis", **({"url": held(server.url()), "timeout": 5.0} | settings))


def ids(server: RedisServer, stream: str = "helpdesk") -> list[str]:
    return [entry["event_id"] for entry in server.entries(stream)]


def test_each_event_once_in_the_order_of_its_ticket(tmp_path: Path, redis_server: RedisServer) -> None:
    """Also when a second journal brings the same events again, and the server has forgotten the script."""
    for number, count in enumerate((150, 300)):
        with opened(tmp_path / f"{number}.db") as journal:
            wanted = fill(journal, count, 7)
            redis.Redis(port=redis_server.port).script_flush()
            with sending(journal, config(redis_server, stream="twice", max_events=50)) as worker:
                drained(worker)
    found = ids(redis_server, "twice")
    assert sorted(wanted) == sorted(found)
    assert in_order(found, 7)
    with redis.Redis(port=redis_server.port, decode_responses=True) as client:
        assert 8 * 3600 - 300 < int(client.ttl("{twice}:e0")) <= 8 * 3600


def test_an_entry_has_what_a_consumer_needs(tmp_path: Path, redis_server: RedisServer) -> None:
    with opened(tmp_path / "j.db") as journal:
        keep(journal, payload("e\r\n中", ticket=ticket(ticket_id="t1")))
        with sending(journal, config(redis_server, stream="fields")) as worker:
            drained(worker)
    (entry,) = redis_server.entries("fields")
    assert list(FIELDS) == list(entry)
    assert ("e\r\n中", "helpdesk.ticket_message.created_v1", "t1") == tuple(entry.values())[:3]
    assert "e\r\n中" == json.loads(entry["data"])["event_id"]


def test_max_len_keeps_about_so_many(tmp_path: Path, redis_server: RedisServer) -> None:
    with opened(tmp_path / "j.db") as journal:
        fill(journal, 2000, 7)
        with sending(journal, config(redis_server, stream="short", max_len=500)) as worker:
            drained(worker)
    assert 500 <= len(redis_server.entries("short")) < 800


def test_the_server_gone_and_back(tmp_path: Path) -> None:
    with RedisServer(appendfsync="always") as server, opened(tmp_path / "j.db") as journal:
        with sending(journal, config(server)) as worker:
            fill(journal, 50, 5)
            drained(worker)
            server.kill()
            fill(journal, 50, 5, first=50)
            waits(worker, f"127.0.0.1:{server.port}: ")
            with pytest.raises(Unavailable, match=f"127.0.0.1:{server.port}: .*refused"):
                probed(config(server))
            server.start()
            drained(worker)
        assert 100 == len(ids(server)) == len(set(ids(server)))


def test_its_memory_full_and_more_of_it(tmp_path: Path) -> None:
    """A script that is refused in the midst leaves no id behind whose event is not in the stream."""
    with RedisServer(maxmemory="3mb") as server, opened(tmp_path / "j.db") as journal:
        fill(journal, 2000, 50)
        with sending(journal, config(server, max_events=50)) as worker:
            waits(worker, "used memory > 'maxmemory'")
            assert worker.state.paused is None
            with redis.Redis(port=server.port) as client:
                client.config_set("maxmemory", "0")
            drained(worker)
        assert 2000 == len(ids(server)) == len(set(ids(server)))


def test_its_disk_full_and_room_again(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "4m") as disk, RedisServer(dir=str(disk.path)) as server:
        with opened(tmp_path / "j.db") as journal, sending(journal, config(server)) as worker:
            fill(journal, 10, 5)
            drained(worker)
            disk.fill()
            fill(journal, 500, 5, first=10)
            waits(worker, "MISCONF")
            assert worker.state.paused is None
            disk.empty()
            drained(worker)
        assert 510 == len(ids(server)) == len(set(ids(server)))


def test_its_password_changed_and_the_new_one_in_the_file(tmp_path: Path) -> None:
    with RedisServer() as server, opened(tmp_path / "j.db") as journal:
        client = redis.Redis(port=server.port)
        client.acl_setuser("u", enabled=True, passwords=["+first-word"], keys=["*"], categories=["+@all"])
        secret = tmp_path / "url"
        secret.write_text(server.url(user="u:first-word@"))
        wanted = config(server, url=SecretSource(SecretKind.FILE, str(secret)))
        with sending(journal, wanted) as worker:
            fill(journal, 10, 5)
            drained(worker)
            client.acl_setuser("u", enabled=True, passwords=["-first-word", "+second-word"])
            client.client_kill_filter(user="u")
            fill(journal, 10, 5, first=10)
            waits(worker, "invalid username-password pair")
            assert worker.state.paused
            with pytest.raises(Unavailable, match="invalid username-password"):
                probed(wanted)
            secret.write_text(server.url(user="u:second-word@"))
            drained(worker)
        assert 20 == len(ids(server))
        client.close()


def test_a_key_that_is_no_stream(tmp_path: Path, redis_server: RedisServer) -> None:
    with redis.Redis(port=redis_server.port) as client, opened(tmp_path / "j.db") as journal:
        client.set("taken", "x")
        wanted = config(redis_server, stream="taken")
        with pytest.raises(Unavailable, match="the key taken holds a string, not a stream"):
            probed(wanted)
        with sending(journal, wanted) as worker:
            fill(journal, 10, 5)
            waits(worker, "WRONGTYPE")
            assert worker.state.paused
            client.delete("taken")
            drained(worker)
        assert [] == rows(journal.path, "SELECT seq FROM dead_letters")


def test_check_says_how_the_server_keeps_it(redis_server: RedisServer) -> None:
    assert "appendonly, appendfsync everysec" in probed(config(redis_server))
    with RedisServer(appendonly="no") as server:
        assert "is lost when it ends" in probed(config(server))


def test_tls(tmp_path: Path) -> None:
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")]
    subprocess.run([*command, *files, "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    server = RedisServer(
        port="0", tls_cert_file=f"{tmp_path}/cert.pem", tls_key_file=f"{tmp_path}/key.pem", tls_auth_clients="no"
    )
    server.settings["tls_port"] = str(server.port)
    with server:
        url = held(server.url("rediss"))
        assert "takes events" in probed(config(server, url=url, ca_file=tmp_path / "cert.pem"))
        with pytest.raises(Unavailable, match="TLS: "):
            probed(config(server, url=url))


def test_addresses() -> None:
    assert checked("redis://127.0.0.1", allow_plaintext=False)
    assert checked("rediss://u:p@r.example:6380/1", allow_plaintext=False)
    assert checked("redis://r.example", allow_plaintext=True)
    with pytest.raises(ConfigError, match="readable by anyone"):
        checked("redis://u:p4ssword@r.example", allow_plaintext=False)
    for wrong in ("http://r", "redis://", "redis://h:x"):
        with pytest.raises(ConfigError) as refused:
            checked(wrong, allow_plaintext=False)
        assert wrong not in str(refused.value).replace("rediss://", "")
