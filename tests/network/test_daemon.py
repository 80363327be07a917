"""The daemon with network sinks: a reload that helps, what status and metrics say, an end that hangs, a replay."""

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import pytest

from listener.simulator import PlatformThread
from tests.connection.listening import event
from tests.daemon import Daemon, environment
from tests.inprocess import stand_in
from tests.network.receiving import Post, Receiver
from tests.network.test_crash import PHASES, hanging
from tests.samples import encode, example

__all__ = ["stand_in"]
ARCHIVE = "[[sinks]]\nname = 'archive'\ntype = 'file'\npath = 'archive.jsonl'\n"
TOKEN, RIGHT = "wrong-token-of-ours", "right-token-of-ours"


def hook(url: str, more: str = "") -> str:
    return f"[[sinks]]\nname = 'hook'\ntype = 'http'\nurl = '{url}'\n{more}\n"


def told(home: Path, domain: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command, env = [sys.executable, "-m", "listener", *arguments], environment(home, domain)
    return subprocess.run(command, check=False, cwd=home, env=env, capture_output=True, text=True, timeout=60)


def archived(home: Path) -> int:
    file = home / "logs" / "archive.jsonl"
    return len(file.read_text().splitlines()) if file.exists() else 0


def test_a_wrong_token_pauses_loudly_and_a_reload_goes_on(tmp_path: Path, stand_in: PlatformThread) -> None:
    """The backlog is kept, there are no dead letters, status and metrics say so, and neither token is told."""

    def answer(post: Post) -> int:
        return 200 if post.headers["Authorization"] == f"Bearer {RIGHT}" else 401

    (tmp_path / "token").write_text(TOKEN)
    with Receiver(answer) as end:
        port = free_port()
        http = f"[http]\nlisten = '127.0.0.1:{port}'\n"
        config = http + ARCHIVE + hook(f"{end.url}?key=hush-hush", "token_file = 'token'")
        with Daemon(tmp_path, domain=stand_in.url, config=config) as daemon:
            daemon.ready()
            for number in range(5):
                stand_in.call(stand_in.platform.push, event(number))
            daemon.until(lambda: daemon.said("a sink is paused") and archived(tmp_path) == 5, "it is paused")
            status = told(tmp_path, stand_in.url, "status")
            assert "PAUSED: HTTP 401" in status.stdout
            assert 'helpdesk_listen_sink_paused{sink="hook"} 1.0' in scraped(port)
            (tmp_path / "token").write_text(RIGHT)
            daemon.signal(signal.SIGHUP)
            daemon.until(lambda: len(end.got) == 5, "the backlog")
            daemon.until(lambda: 'sink_paused{sink="hook"} 0.0' in scraped(port), "it is paused no more")
            assert 'helpdesk_listen_sink_waiting_events{sink="hook"} 0.0' in scraped(port)
            assert "no dead letters" in told(tmp_path, stand_in.url, "dead-letters", "list").stderr
            assert 0 == daemon.stop()
        said = "\n".join([*daemon.stderr, *daemon.stdout, status.stdout, status.stderr])
        assert [] == [secret for secret in (TOKEN, RIGHT, "hush-hush") if secret in said]


def scraped(port: int) -> str:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as page:
        return str(page.read().decode())


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def of_ticket(number: int, ticket: str) -> bytes:
    return encode(example(f"e{number}", ticket={"ticket_id": ticket}))


def test_status_tells_what_waits_for_retry(tmp_path: Path, stand_in: PlatformThread) -> None:
    with Receiver() as end:
        end.answer = lambda post: 500 if post.events[0]["event"]["ticket"]["ticket_id"] == "t-bad" else 200
        with Daemon(tmp_path, domain=stand_in.url, config=hook(end.url)) as daemon:
            daemon.ready()
            stand_in.call(stand_in.platform.push, of_ticket(0, "t-bad"))
            numbers = iter(range(1, 10_000))

            def waits() -> bool:
                stand_in.call(stand_in.platform.push, of_ticket(next(numbers), "t-good"))
                return "1 waiting for a retry" in told(tmp_path, stand_in.url, "status").stdout

            daemon.until(waits, "status tells", 60)
            assert 0 == daemon.stop()


@pytest.mark.parametrize("phase", PHASES)
def test_an_end_that_hangs_harms_no_other_sink_no_ack_and_no_stop(
    tmp_path: Path, stand_in: PlatformThread, phase: str
) -> None:
    scheme, said = PHASES[phase]
    with hanging(said) as port:
        config = ARCHIVE + hook(f"{scheme}://127.0.0.1:{port}/")
        with Daemon(tmp_path, domain=stand_in.url, config=config) as daemon:
            daemon.ready()
            deliveries = [stand_in.call(stand_in.platform.push, event(number)) for number in range(20)]
            for delivery in deliveries:
                stand_in.call(delivery.acked)
            daemon.until(lambda: archived(tmp_path) == 20, "the other sink has all")
            began = time.monotonic()
            assert 0 == daemon.stop()
            assert time.monotonic() - began < 5.0


def test_a_replay_without_a_daemon_goes_to_http(tmp_path: Path, stand_in: PlatformThread) -> None:
    with Receiver() as end:
        with Daemon(tmp_path, domain=stand_in.url, config=hook(end.url)) as daemon:
            daemon.ready()
            for number in range(3):
                stand_in.call(stand_in.platform.push, event(number))
            daemon.until(lambda: len(end.got) == 3, "all have come")
            assert 0 == daemon.stop()
        done = told(tmp_path, stand_in.url, "replay", "--sink", "hook", "--since", "1h")
        assert (0, True) == (done.returncode, "3 events replayed to hook" in done.stderr), done.stderr
        assert [None] * 3 + ["true"] * 3 == [post.headers.get("helpdesk-listen-replayed") for post in end.posts]
        assert sorted(end.got[:3]) == sorted(end.got[3:])
