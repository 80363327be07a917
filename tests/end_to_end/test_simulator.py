"""`helpdesk-listen simulator` and `simulator push`, as they are typed."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from itertools import islice
from pathlib import Path

import pytest

from listener.simulator.conversation import conversation
from listener.simulator.flood import default_payload
from listener.simulator.gateway import DEMO_CREDENTIALS
from listener.simulator.program import environment
from listener.simulator.push_endpoint import PUSH_PATH
from listener.simulator.server import Platform
from tests.daemon import Daemon
from tests.inprocess import Commands, commands

__all__ = ["commands"]


@contextmanager
def simulator(home: Path, *words: str) -> Iterator[tuple[Daemon, dict[str, str]]]:
    """A running one, and the variables that it prints."""
    home.mkdir(exist_ok=True)
    with Daemon(home, "simulator", "--port", "0", *words) as process:
        process.until(lambda: len(process.stdout) == 3, "its three lines")
        yield process, dict(line.split("=", 1) for line in process.stdout)


def port(variables: dict[str, str]) -> str:
    return variables["FEISHU_DOMAIN"].rpartition(":")[2]


def listener(home: Path, variables: dict[str, str]) -> Daemon:
    """A daemon that knows nothing but the printed variables."""
    home.mkdir()
    return Daemon(home, "start", env=variables)


APP_IDS: dict[str, Callable[[], list[str]]] = {
    "the one that it accepts": lambda: [*DEMO_CREDENTIALS],
    "the one that it prints": lambda: [environment(Platform())["FEISHU_APP_ID"]],
    "of its conversation": lambda: [event["header"]["app_id"] for event in islice(conversation(), 1)],
    "of its flood": lambda: [json.loads(default_payload(1))["header"]["app_id"]],
}


@pytest.mark.parametrize("which", APP_IDS)
def test_the_official_sdks_accept_its_app_id(which: str) -> None:
    """The strictest rule is the Node SDK's: it refuses any other before it asks anybody, without an error."""
    (app_id,) = APP_IDS[which]()
    assert re.fullmatch(r"cli_[0-9a-f]{16}", app_id)
    assert app_id in DEMO_CREDENTIALS


def test_a_daemon_with_its_three_lines_gets_its_conversation(tmp_path: Path) -> None:
    with simulator(tmp_path / "simulator", "--rate", "100", "--count", "5", "--fault", "duplicates") as (
        one,
        variables,
    ):
        assert {"FEISHU_DOMAIN", "FEISHU_APP_ID", "FEISHU_APP_SECRET"} == {*variables}
        with listener(tmp_path / "listener", variables) as daemon:
            daemon.until(lambda: len(daemon.stdout) == 5, "five records")
            assert 0 == daemon.stop()
            assert 5 == len({record["event_id"] for record in daemon.records})
        assert 0 == one.stop()
        assert "10 pushes" in one.stderr[-1]


def test_push_hands_the_documents_example_and_files_through_it(tmp_path: Path, commands: Commands) -> None:
    (tmp_path / "mine.json").write_text('{"header":{"event_id":"mine","event_type":"helpdesk.ticket.created_v1"}}')
    with simulator(tmp_path / "simulator") as (_, variables), listener(tmp_path / "listener", variables) as daemon:
        daemon.ready()
        for words in ([], ["mine.json"]):
            done = commands.run("simulator", "push", "--port", port(variables), *words)
            assert (0, [200]) == (done.rc, json.loads(done.out)["codes"]), done.err
        daemon.until(lambda: len(daemon.stdout) == 1, "the example")
        assert "请问vpn怎么下载" == daemon.records[0]["event"]["text"]


def test_push_says_when_nobody_is_connected_and_when_nothing_runs(tmp_path: Path, commands: Commands) -> None:
    with simulator(tmp_path / "simulator") as (_, variables):
        waiting = commands.run("simulator", "push", "--port", port(variables))
        assert (69, "waiting") == (waiting.rc, json.loads(waiting.out)["state"])
    gone = commands.run("simulator", "push", "--port", port(variables))
    assert (69, True) == (gone.rc, "no simulator at" in gone.err)


@pytest.mark.parametrize(("method", "kind", "status"), [("GET", "application/json", 405), ("POST", "text/plain", 415)])
def test_a_web_page_can_not_push(method: str, kind: str, status: int, tmp_path: Path) -> None:
    with simulator(tmp_path / "simulator") as (_, variables):
        connection = HTTPConnection("127.0.0.1", int(port(variables)))
        connection.request(method, PUSH_PATH, b"{}", {"Content-Type": kind})
        assert status == connection.getresponse().status
        connection.close()


def test_faults_go_by_name(tmp_path: Path, commands: Commands) -> None:
    assert "endpoint-500" in commands.run("simulator", "--fault", "list").out.splitlines()
    assert 2 == commands.run("simulator", "--fault", "earthquake").rc
    faults = ("--fault", "endpoint-500", "--fault", "split", "--fault", "cuts")
    with (
        simulator(tmp_path / "simulator", "--rate", "50", "--count", "20", *faults) as (_, variables),
        listener(tmp_path / "listener", variables) as daemon,
    ):
        daemon.until(lambda: len(daemon.stdout) >= 9, "records in spite of them", within=60)
        assert daemon.said("500")


@pytest.mark.parametrize(
    ("words", "rc", "said"),
    [
        (["push", "/dev/zero"], 78, "larger than 16777216 bytes"),
        (["push", "/nowhere/event.json"], 78, "No such file"),
        (["--rate", "nan"], 2, "not a number"),
    ],
)
def test_what_it_can_not_take_is_refused(commands: Commands, words: list[str], rc: int, said: str) -> None:
    done = commands.run("simulator", *words)
    assert rc == done.rc
    assert said in done.err
