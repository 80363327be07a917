"""The database gone, full, refusing us or changed: what is said of it, that nothing is lost, and that it heals."""

import subprocess
from pathlib import Path

import pytest

from listener.base.errors import Unavailable
from listener.delivery.network_worker import NetworkWorker
from listener.settings.secrets import SecretKind, SecretSource
from tests.engines.configs import held
from tests.engines.probing import probed
from tests.engines.server import Database, Postgres
from tests.journal.keeping import opened, rows, until
from tests.network.sending import drained, fill, sending
from tests.small_disk import small_disk


def waits(worker: NetworkWorker, words: str) -> None:
    """Until the sink fails, and these are the words for it."""
    until(lambda: worker.state.last_error and words in worker.state.last_error, words, 30)
    assert worker.state.failing_since


def intact(journal_path: Path, database: Database, count: int) -> None:
    assert (count, count) == database.counts()
    assert [] == rows(journal_path, "SELECT seq, reason FROM dead_letters")


def test_the_server_gone_and_back(tmp_path: Path) -> None:
    with Postgres() as server, opened(tmp_path / "j.db") as journal:
        database = server.new_database("d")
        with sending(journal, database.config(timeout=2.0)) as worker:
            fill(journal, 50, 5)
            drained(worker)
            server.kill()
            fill(journal, 50, 5, first=50)
            waits(worker, "/d: ")
            with pytest.raises(Unavailable, match=f"127.0.0.1:{server.port}/d: .*refused"):
                probed(database.config())
            server.start()
            drained(worker)
        intact(journal.path, database, 100)


def test_its_disk_full_and_room_again(tmp_path: Path, database: Database) -> None:
    with small_disk(database.server.home / "disk", "8m") as disk, opened(tmp_path / "j.db") as journal:
        folder = database.server.folder_for(disk)
        with sending(journal, database.config()) as worker:
            fill(journal, 10, 5)
            drained(worker)
            database.sql(f"CREATE TABLESPACE tiny_{database.name} LOCATION '{folder}'")
            database.sql(f"ALTER TABLE helpdesk_events SET TABLESPACE tiny_{database.name}")
            disk.fill()
            fill(journal, 500, 5, first=10)
            waits(worker, "No space left on device (53100)")
            assert worker.state.paused is None
            disk.empty()
            drained(worker)
        intact(journal.path, database, 510)
        database.sql("DROP TABLE helpdesk_events CASCADE")
        database.sql(f"DROP TABLESPACE tiny_{database.name}")


def test_its_password_changed_and_the_new_one_in_the_file(tmp_path: Path, database: Database) -> None:
    """The file is read again at each attempt while the sink is paused: no restart, no reload."""
    role = f"role_{database.name}"
    database.sql(f"CREATE USER {role} SUPERUSER PASSWORD 'first-word'")
    secret = tmp_path / "dsn"
    secret.write_text(database.server.url(database.name, role, "first-word"))
    wanted = database.config(dsn=SecretSource(SecretKind.FILE, str(secret)))
    with opened(tmp_path / "j.db") as journal, sending(journal, wanted) as worker:
        fill(journal, 10, 5)
        drained(worker)
        database.sql(f"ALTER USER {role} PASSWORD 'second-word'")
        ended = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'"  # noqa: S608
        database.sql(ended)
        fill(journal, 10, 5, first=10)
        waits(worker, f'password authentication failed for user "{role}" (28P01)')
        until(lambda: worker.state.paused, "it is paused")
        with pytest.raises(Unavailable, match="password authentication failed"):
            probed(wanted)
        secret.write_text(database.server.url(database.name, role, "second-word"))
        drained(worker)
        assert worker.state.paused is None
    intact(journal.path, database, 20)
    database.sql(f"REASSIGN OWNED BY {role} TO listener; DROP OWNED BY {role}; DROP USER {role}")


@pytest.mark.parametrize("create", [True, False])
def test_a_column_that_is_dropped_while_it_runs(tmp_path: Path, database: Database, create: bool) -> None:
    """With create it is made again, else the sink says what it lacks until somebody makes it."""
    with opened(tmp_path / "j.db") as journal, sending(journal, database.config()) as worker:
        fill(journal, 10, 5)
        drained(worker)
    wanted = database.config(create=create)
    with opened(tmp_path / "j.db") as journal, sending(journal, wanted) as worker:
        fill(journal, 10, 5, first=10)
        drained(worker)
        database.sql("ALTER TABLE helpdesk_events DROP COLUMN chat_id")
        fill(journal, 10, 5, first=20)
        if not create:
            waits(worker, "table helpdesk_events: it lacks the column chat_id (`helpdesk-listen check --online`")
            database.sql("ALTER TABLE helpdesk_events ADD COLUMN chat_id text")
        drained(worker)
    intact(journal.path, database, 30)


def test_a_column_of_another_type_makes_no_dead_letters(tmp_path: Path, database: Database) -> None:
    """Each row is refused then, which speaks of the table and not of the events."""
    with opened(tmp_path / "j.db") as journal, sending(journal, database.config(create=False)) as worker:
        fill(journal, 50, 5)
        waits(worker, "there is no such table")
        with sending(journal, database.config(name="maker")) as maker:
            drained(maker)
        drained(worker)
        database.sql("DROP VIEW helpdesk_tickets, helpdesk_messages_hourly")
        database.sql("ALTER TABLE helpdesk_events ALTER text TYPE bigint USING 1")
        fill(journal, 50, 5, first=50)
        waits(worker, "its column text is bigint, not text")
        database.sql("ALTER TABLE helpdesk_events ALTER text TYPE text")
        drained(worker)
    intact(journal.path, database, 100)


def test_a_lock_on_the_table_is_waited_out(tmp_path: Path, database: Database) -> None:
    with opened(tmp_path / "j.db") as journal, sending(journal, database.config(timeout=0.5)) as worker:
        fill(journal, 10, 5)
        drained(worker)
        held_lock = "BEGIN; LOCK TABLE helpdesk_events; SELECT pg_sleep(60)"
        command = ["psql", "-XAtq", database.server.url(database.name), "-c", held_lock]
        locker = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            locks = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted"
            until(lambda: database.sql(locks) != [["0"]], "it is locked")
            fill(journal, 10, 5, first=10)
            until(lambda: worker.state.last_error, "it fails")
            said = str(worker.state.last_error)
            assert "no answer within 0.5 s" in said or "statement timeout (57014)" in said
        finally:
            locker.kill()
            locker.wait()
            database.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'BEGIN; LOCK%'")
        drained(worker)
    intact(journal.path, database, 20)


def test_a_standby_is_left_for_the_server_that_takes_writes(tmp_path: Path) -> None:
    """Two servers in the DSN; the first becomes read-only, as after a failover."""
    with Postgres(fsync="off") as first, Postgres(fsync="off") as second:
        one, two = first.new_database("d"), second.new_database("d")
        hosts = f"127.0.0.1:{first.port},127.0.0.1:{second.port}"
        wanted = one.config(dsn=held(f"postgresql://listener:{first.password}@{hosts}/d"))
        with opened(tmp_path / "j.db") as journal, sending(journal, wanted) as worker:
            fill(journal, 10, 5)
            drained(worker)
            one.sql("ALTER SYSTEM SET default_transaction_read_only = on")
            one.sql("SELECT pg_reload_conf()")
            until(lambda: one.sql("SHOW default_transaction_read_only") == [["on"]], "it is read-only")
            fill(journal, 10, 5, first=10)
            drained(worker)
        assert (10, 10) == one.counts()
        assert (10, 10) == two.counts()


def test_tls_as_the_dsn_wants_it(tmp_path: Path) -> None:
    """A server with a certificate of an authority of our own."""
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")]
    names = ["-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*command, *files, *names], check=True, capture_output=True)
    server = Postgres(ssl="on", ssl_cert_file="cert.pem", ssl_key_file="key.pem", fsync="off")
    with server.holding(tmp_path / "cert.pem", tmp_path / "key.pem"):
        database, cert = server.new_database("d"), tmp_path / "cert.pem"

        def said(host: str, mode: str, ca_file: Path | None) -> str:
            url = f"postgresql://listener:{server.password}@{host}:{server.port}/d?sslmode={mode}"
            return probed(database.config(dsn=held(url), ca_file=ca_file))

        assert "can be reached" in said("localhost", "verify-full", cert)
        assert "can be reached" in said("127.0.0.1", "verify-ca", cert)
        assert "can be reached" in said("127.0.0.1", "require", None)
        for host, mode, ca_file in (("127.0.0.1", "verify-full", cert), ("localhost", "verify-ca", None)):
            with pytest.raises(Unavailable, match="TLS"):
                said(host, mode, ca_file)
