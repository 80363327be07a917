"""`[enrich] ticket`: the record has the ticket as the API has it; nothing waits longer than it may, nothing is lost."""

import json
import random
import signal
import sqlite3
import threading
import time
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from listener.feishu.http_api import TICKETS_PATH
from listener.simulator import PlatformThread, faults
from tests.daemon import Daemon
from tests.enrich.helping import TICKET, config, lines, message


def asked(stand_in: PlatformThread, ticket: str = "") -> int:
    """How often a ticket, or this one, was asked for."""
    calls = [call.path for call in stand_in.platform.api_calls]
    return sum(path.startswith(f"{TICKETS_PATH}/{ticket}") and not path.endswith("messages") for path in calls)


def test_the_record_has_the_ticket_and_one_call_serves_many_messages(tmp_path: Path, stand_in: PlatformThread) -> None:
    with Daemon(tmp_path, domain=stand_in.url, config=config(TICKET)) as daemon:
        daemon.ready()
        for number in range(20):
            stand_in.call(stand_in.platform.push, message(number))
        daemon.until(lambda: len(lines(tmp_path)) == 20, "all records")
        daemon.until(lambda: len(lines(tmp_path, "plain")) == 20, "all records of the other sink")
        assert 0 == daemon.stop()
    assert [f"e{number}" for number in range(20)] == [record["event_id"] for record in lines(tmp_path)]
    detail = lines(tmp_path)[0]["ticket_detail"]
    assert ("李雷", "created", "王芳") == (detail["guest"]["name"], detail["status_name"], detail["agents"][0]["name"])
    (field,) = detail["customized_fields"]
    assert ("VPN", "opt_1") == (field["value"], field["value_id"])
    assert 1 == asked(stand_in)
    assert all("ticket_detail" in record for record in lines(tmp_path))
    assert not any("ticket_detail" in record for record in lines(tmp_path, "plain"))


def test_a_hanging_api_holds_up_only_sinks_that_want_the_ticket(tmp_path: Path, stand_in: PlatformThread) -> None:
    with Daemon(tmp_path, domain=stand_in.url, config=config(TICKET)) as daemon:
        daemon.ready()
        stand_in.platform.faults.api[f"{TICKETS_PATH}/7000001"] = [faults.HANG] * 10
        began = time.monotonic()
        stand_in.call(stand_in.platform.push, message(1))
        daemon.until(lambda: lines(tmp_path, "plain"), "the sink without the ticket")
        without = time.monotonic() - began
        daemon.until(lambda: lines(tmp_path), "the record without the ticket")
        assert without < 1 <= time.monotonic() - began
        assert 0 == daemon.stop()
    (record,) = lines(tmp_path)
    assert ("no answer in time", False) == (record["ticket_detail_error"], "ticket_detail" in record)


def test_a_hanging_api_holds_up_no_other_sink_under_load(tmp_path: Path, stand_in: PlatformThread) -> None:
    with Daemon(tmp_path, domain=stand_in.url, config=config(TICKET, 'wait = "30s"')) as daemon:
        daemon.ready()
        for ticket in range(50):
            stand_in.platform.faults.api[f"{TICKETS_PATH}/70000{ticket:02}"] = [faults.HANG] * 10
        for number in range(600):
            stand_in.call(stand_in.platform.push, message(number, f"70000{number % 50:02}"))
        daemon.until(lambda: len(lines(tmp_path, "plain")) == 600, "all of the sink without the ticket", 25)
        assert [] == lines(tmp_path), "the other one waits meanwhile"
        assert 0 == daemon.stop()


def test_a_line_that_is_made_again_is_the_same_though_the_ticket_has_changed(
    tmp_path: Path, stand_in: PlatformThread
) -> None:
    """As a crash between the write to the file and the commit of the cursor leaves it."""
    settings = config('ticket = true\nticket_cache = "1s"')

    def run(numbers: range) -> None:
        with Daemon(tmp_path, domain=stand_in.url, config=settings) as daemon:
            daemon.ready()
            for number in numbers:
                stand_in.call(stand_in.platform.push, message(number, f"70000{number % 2:02}"))
            daemon.until(lambda: len(lines(tmp_path)) == numbers.stop, "all lines", 30)
            assert 0 == daemon.stop()

    run(range(3))
    before = cursor(tmp_path)
    run(range(3, 8))
    whole = (tmp_path / "logs" / "tickets.jsonl").read_bytes()
    with closing(sqlite3.connect(tmp_path / "state" / "helpdesk.db")) as connection, connection:
        connection.execute("UPDATE cursors SET seq=?, position=? WHERE sink='archive'", before)
    for ticket in ("7000000", "7000001"):
        stand_in.platform.api.desk.ticket(ticket, 0, status=51, channel=99)
    run(range(8, 9))
    assert (tmp_path / "logs" / "tickets.jsonl").read_bytes().startswith(whole)
    assert [f"e{number}" for number in range(9)] == [record["event_id"] for record in lines(tmp_path)]
    assert (13, 99) == tuple(lines(tmp_path)[number]["ticket_detail"]["channel"] for number in (7, 8))


def cursor(home: Path) -> tuple[int, str]:
    with closing(sqlite3.connect(home / "state" / "helpdesk.db")) as connection:
        row = connection.execute("SELECT seq, position FROM cursors WHERE sink='archive'").fetchone()
        return int(row[0]), str(row[1])


def test_a_missing_scope_is_told_once_with_its_page(tmp_path: Path, stand_in: PlatformThread) -> None:
    stand_in.platform.api.scopes.clear()
    with Daemon(tmp_path, domain=stand_in.url, config=config(TICKET, 'wait = "20s"')) as daemon:
        daemon.ready()
        for number in range(12):
            stand_in.call(stand_in.platform.push, message(number, f"70000{number % 6:02}"))
        daemon.until(lambda: len(lines(tmp_path)) == 12, "all records")
        assert 1 == daemon.said("events go on without what was to be fetched")
        assert 0 < daemon.said("helpdesk:all:readonly")
        assert 0 == daemon.stop()
    assert all("154003" in record["ticket_detail_error"] for record in lines(tmp_path))


@pytest.mark.parametrize("fields", [5, True, "x", {"a": 1}, [5, {"value": 5}]])
def test_fields_of_another_type_go_out_as_they_came(tmp_path: Path, stand_in: PlatformThread, fields: object) -> None:
    ticket = {"ticket_id": "7000001", "customized_fields": fields}
    stand_in.platform.faults.api[f"{TICKETS_PATH}/7000001"] = [faults.reply({"code": 0, "data": {"ticket": ticket}})]
    with Daemon(tmp_path, domain=stand_in.url, config=config(TICKET)) as daemon:
        daemon.ready()
        stand_in.call(stand_in.platform.push, message(1))
        daemon.until(lambda: lines(tmp_path), "the record")
        assert 0 == daemon.stop()
    assert fields == lines(tmp_path)[0]["ticket_detail"]["customized_fields"]


def test_a_tenant_token_that_ends_before_its_time_is_renewed(tmp_path: Path, stand_in: PlatformThread) -> None:
    """As it looks to the SDK after the wall clock was set back."""
    with Daemon(tmp_path, domain=stand_in.url, config=config(TICKET, 'wait = "20s"')) as daemon:
        daemon.ready()
        for number in range(2):
            stand_in.call(stand_in.platform.push, message(number, f"700000{number}"))
            daemon.until(lambda: len(lines(tmp_path)) > number, "the record")  # noqa: B023 waits at once
            stand_in.platform.api.tokens.clear()
        assert 0 == daemon.stop()
    assert all("ticket_detail" in record for record in lines(tmp_path))


def test_a_reload_ends_the_pause_that_a_refused_token_had_begun(tmp_path: Path, stand_in: PlatformThread) -> None:
    (tmp_path / "token").write_text("ht-wrong-token")
    (tmp_path / "token").chmod(0o600)
    settings = config(TICKET, 'wait = "20s"').replace('token = "ht-demo-token"', 'token_file = "token"')
    with Daemon(tmp_path, domain=stand_in.url, config=settings) as daemon:
        daemon.ready()
        stand_in.call(stand_in.platform.push, message(1))
        daemon.until(lambda: len(lines(tmp_path)) == 1, "the record without the ticket")
        (tmp_path / "token").write_text("ht-demo-token")
        daemon.signal(signal.SIGHUP)
        daemon.until(lambda: daemon.said("reloaded"), "the reload")
        stand_in.call(stand_in.platform.push, message(2))
        daemon.until(lambda: len(lines(tmp_path)) == 2, "the record with the ticket")
        assert 0 == daemon.stop()
    assert [False, True] == ["ticket_detail" in record for record in lines(tmp_path)]


DELETED = faults.code(154002, "ticket not found", 404)


@pytest.mark.parametrize(
    "fault", [faults.http(500), faults.HTML_PAGE, faults.RESET, faults.reply({"code": 0}), DELETED]
)
def test_trouble_is_said_in_the_record(tmp_path: Path, stand_in: PlatformThread, fault: faults.Reply) -> None:
    stand_in.platform.faults.api[f"{TICKETS_PATH}/7000001"] = [fault]
    with Daemon(tmp_path, domain=stand_in.url, config=config(TICKET)) as daemon:
        daemon.ready()
        stand_in.call(stand_in.platform.push, message(1))
        daemon.until(lambda: lines(tmp_path), "the record")
        assert 0 == daemon.stop()
    assert lines(tmp_path)[0]["ticket_detail_error"]


@pytest.mark.parametrize("status", [400, 429])
def test_throttled_it_waits_as_long_as_it_is_told(tmp_path: Path, stand_in: PlatformThread, status: int) -> None:
    body = {"code": 99991400, "msg": "request trigger frequency limit"}
    throttled = faults.reply(body, status, {"x-ogw-ratelimit-reset": "1"})
    stand_in.platform.faults.api[f"{TICKETS_PATH}/7000001"] = [throttled]
    with Daemon(tmp_path, domain=stand_in.url, config=config(TICKET, 'wait = "20s"')) as daemon:
        daemon.ready()
        stand_in.call(stand_in.platform.push, message(1))
        daemon.until(lambda: lines(tmp_path), "the record", 20)
        assert 0 == daemon.stop()
    assert ("7000001", 2) == (lines(tmp_path)[0]["ticket_detail"]["ticket_id"], asked(stand_in))


def test_the_monthly_quota_stops_calls_and_no_events(tmp_path: Path, stand_in: PlatformThread) -> None:
    stand_in.platform.api.quota = 0
    with Daemon(tmp_path, domain=stand_in.url, config=config(TICKET)) as daemon:
        daemon.ready()
        for number in range(5):
            stand_in.call(stand_in.platform.push, message(number, f"70000{number:02}"))
        daemon.until(lambda: len(lines(tmp_path)) == 5, "all records")
        assert 1 == daemon.said("no more calls of the platform's API until next month")
        assert 0 == daemon.stop()
    assert asked(stand_in) <= 4


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_again_and_again_each_line_is_there_once_and_the_same(tmp_path: Path) -> None:
    """Exactly once: lines that a crash makes anew match what is in the file, though the ticket has changed since."""
    pushed = 0
    with PlatformThread(scale=0.01) as stand_in:
        for _ in range(20):
            with Daemon(tmp_path, domain=stand_in.url, config=config('ticket = true\nticket_cache = "1s"')) as daemon:
                daemon.ready()
                wanted = len(lines_so_far(tmp_path)) + random.randrange(40)
                for _ in range(60):
                    envelope = message(pushed, f"70000{pushed % 5:02}")
                    envelope["event"]["ticket"]["status"] = random.choice([1, 2, 3, 4, 5])
                    stand_in.call(stand_in.platform.push, envelope)
                    pushed += 1
                daemon.until(lambda: len(lines_so_far(tmp_path)) > wanted, "some lines", 30)  # noqa: B023 at once
                daemon.kill()
        with Daemon(tmp_path, domain=stand_in.url) as daemon:
            daemon.ready()
            daemon.until(lambda: len(lines_so_far(tmp_path)) >= pushed, "all lines", 60)
            assert 0 == daemon.stop()
    ids = [record["event_id"] for record in lines(tmp_path)]
    assert sorted(f"e{number}" for number in range(pushed)) == sorted(ids)
    assert 20 <= len({record["seq"] for record in lines(tmp_path)}) == pushed
    assert all("ticket_detail" in record or "ticket_detail_error" in record for record in lines(tmp_path))


def lines_so_far(home: Path) -> list[bytes]:
    file = home / "logs" / "tickets.jsonl"
    return file.read_bytes().split(b"\n")[:-1] if file.exists() else []


def test_a_network_sink_gets_the_ticket_too(tmp_path: Path, stand_in: PlatformThread) -> None:
    got: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 the library's name

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sink = f'[[sinks]]\nname = "http"\ntype = "http"\nurl = "http://127.0.0.1:{server.server_port}/"\n'
    try:
        with Daemon(tmp_path, domain=stand_in.url, config=config(TICKET) + sink) as daemon:
            daemon.ready()
            for number in range(5):
                stand_in.call(stand_in.platform.push, message(number))
            daemon.until(lambda: len(got) == 5, "all requests")
            with Daemon(tmp_path, "replay", "--sink", "http", "--event-id", "e3", domain=stand_in.url) as replay:
                assert 0 == replay.wait()
            daemon.until(lambda: len(got) == 6, "the one that is replayed")
            assert 0 == daemon.stop()
    finally:
        server.shutdown()
        server.server_close()
    assert all("ticket_detail" in json.loads(body) for body in got)
    (again,) = [body for body in got if got.count(body) == 2][:1]
    assert "e3" == json.loads(again)["event_id"]
