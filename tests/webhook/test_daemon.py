"""`start` with the webhook as its source: the same journal, promises and sinks, and no long connection."""

import json
import socket
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest
import requests

from listener.simulator import PlatformThread
from tests.daemon import Daemon
from tests.inprocess import Commands
from tests.webhook.posts import KEY, TOKEN, Post, encrypted, event, signed

SECRETS = {"FEISHU_VERIFICATION_TOKEN": TOKEN, "FEISHU_ENCRYPT_KEY": KEY}
CONFIG = """
[source]
type = "webhook"
listen = "127.0.0.1:{port}"
path = "/hook"
[[sinks]]
name = "archive"
type = "file"
path = "events.jsonl"
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


class Hooked:
    """A daemon with a webhook on `port`."""

    def __init__(self, home: Path, domain: str = "http://127.0.0.1:9", program: str = "start") -> None:
        self.port = free_port()
        self.home = home
        self.daemon = Daemon(home, program, domain=domain, config=CONFIG.format(port=self.port), env=SECRETS)

    def post(self, post: Post, http: requests.Session | None = None) -> int:
        """The status; 0 where there was no answer."""
        headers, body = post
        try:
            answer = (http or requests).post(f"http://127.0.0.1:{self.port}/hook", body, headers=headers, timeout=5)
        except requests.RequestException:
            return 0
        return answer.status_code

    def written(self) -> list[str]:
        """The event ids in the sink's file."""
        lines = (self.home / "logs" / "events.jsonl").read_text().splitlines()
        return [json.loads(line)["event_id"] for line in lines]


def test_an_event_goes_from_the_post_to_the_sink_without_any_connection(tmp_path: Path) -> None:
    with PlatformThread() as stand_in:
        hooked = Hooked(tmp_path, stand_in.url)
        with hooked.daemon as daemon:
            daemon.ready()
            assert [200, 200, 401] == [
                hooked.post(signed(encrypted(event(1)))),
                hooked.post(signed(encrypted(event(1)))),
                hooked.post(({}, event(2))),
            ]
            assert 0 == daemon.stop()
        assert ["event-000001"] == hooked.written()
        assert (0, 0) == (len(stand_in.platform.endpoint_calls), len(stand_in.platform.handshakes))
        for secret in (TOKEN, KEY, "demo-secret"):
            assert not daemon.said(secret)
            assert secret not in (tmp_path / "logs" / "events.jsonl").read_text()


def test_status_says_that_it_listens(tmp_path: Path, commands: Commands) -> None:
    hooked = Hooked(tmp_path)
    with hooked.daemon as daemon:
        daemon.ready()
        result = commands.run("status", "--json", **SECRETS)
        assert (0, "connected") == (result.rc, json.loads(result.out)["connection"]["phase"])


@pytest.mark.slow
def test_kill_9_under_load_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """The platform's part: what got no 200 is pushed again, and some of the rest too."""
    hooked = Hooked(tmp_path)
    acked: set[int] = set()
    enough = threading.Event()

    def push(numbers: list[int]) -> None:
        with requests.Session() as http:
            for number in numbers:
                if hooked.post(signed(encrypted(event(number))), http) == 200:
                    acked.add(number)
                if len(acked) > 150:
                    enough.set()

    with ThreadPoolExecutor(4) as pool:
        with hooked.daemon as daemon:
            daemon.ready()
            pushing = [pool.submit(push, list(range(start, 800, 4))) for start in range(4)]
            assert enough.wait(20)
            daemon.kill()
            wait(pushing, 30)
        kept = set(acked)
        assert 150 < len(kept) < 800
        again = [number for number in range(800) if number not in kept or number % 10 == 0]
        with hooked.daemon as daemon:
            daemon.ready(2)
            wait([pool.submit(push, again[start::4]) for start in range(4)], 60)
            daemon.until(lambda: len(hooked.written()) >= 800, "every event in the file", 20)
            assert 0 == daemon.stop()
    assert set(range(800)) == acked
    assert Counter({f"event-{number:06}": 1 for number in range(800)}) == Counter(hooked.written())


def test_a_port_that_is_taken_ends_it_with_a_reason(tmp_path: Path) -> None:
    hooked = Hooked(tmp_path)
    with socket.create_server(("127.0.0.1", hooked.port)), hooked.daemon as daemon:
        assert 74 == daemon.wait()
        assert daemon.said("can't listen on")


def test_without_token_and_key_it_does_not_start(tmp_path: Path, commands: Commands) -> None:
    (tmp_path / "config.toml").write_text('[source]\ntype = "webhook"\n')
    result = commands.run("check")
    assert 78 == result.rc
    assert "verification_token or encrypt_key" in result.err


@pytest.mark.parametrize("listen", ["8080", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:99999", "http://127.0.0.1:1", ":1"])
def test_an_address_that_is_none(tmp_path: Path, commands: Commands, listen: str) -> None:
    (tmp_path / "config.toml").write_text(f'[source]\nlisten = "{listen}"\n')
    result = commands.run("check")
    assert 78 == result.rc
    assert "source.listen: expected an address" in result.err
