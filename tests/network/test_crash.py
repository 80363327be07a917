"""kill -9 and stops: what is sent again, and how long a hung end holds a stop."""

import os
import random
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest

from listener.simulator import PlatformThread
from tests.daemon import Daemon
from tests.journal.keeping import opened, rows, until
from tests.network.receiving import Receiver
from tests.network.sending import config, drained, fill, sending, worker_of

ROOT = Path(__file__).parents[2]
IN_FLIGHT = 8


def kills(tmp_path: Path, rounds: int) -> None:
    """At the end each event came at least once, and each round repeated at most what was under way."""
    path, chance = tmp_path / "j.db", random.Random(1)
    with opened(path) as journal:
        ids = fill(journal, rounds * 200, 40)
    with Receiver(delay=0.01) as end:
        for number in range(rounds):
            before = len(set(end.got))
            command = [sys.executable, "-m", "tests.network.life", str(path), end.url, str(IN_FLIGHT)]
            process = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})
            goal = min(len(ids), before + chance.randint(20, 150))
            until(lambda goal=goal: len(set(end.got)) >= goal, f"round {number}", 30)  # type: ignore[misc]
            process.kill()
            process.wait()
        with opened(path) as journal, sending(journal, config(end.url, in_flight=IN_FLIGHT)) as worker:
            drained(worker, 60)
        sent = [one for post in end.posts for one in post.ids]
        assert set(ids) == set(end.got)
        assert all([post.headers["webhook-id"]] == post.ids for post in end.posts)
        assert len(sent) - len(ids) <= rounds * IN_FLIGHT


def test_a_crash_repeats_what_was_under_way_at_most(tmp_path: Path) -> None:
    kills(tmp_path, 4)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.long
def test_fifty_crashes_repeat_what_was_under_way_at_most(tmp_path: Path) -> None:
    kills(tmp_path, 50)


def test_a_clean_end_repeats_nothing(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal, Receiver(delay=0.02) as end:
        ids = fill(journal, 200, 20)
        for _ in range(5):
            before = len(end.posts)
            with sending(journal, config(end.url, in_flight=8)):
                until(lambda before=before: len(end.posts) > before + 8, "it sends")  # type: ignore[misc]
        with sending(journal, config(end.url, in_flight=8)) as worker:
            drained(worker)
        assert sorted(ids) == sorted(one for post in end.posts for one in post.ids)


@contextmanager
def hanging(said: bytes) -> Iterator[int]:
    """A server that takes connections, says so much, and then nothing."""
    held: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            held.append(connection)
            connection.sendall(said)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
    for one in held:
        one.close()


PHASES = {
    "connect": ("http", b""),
    "TLS": ("https", b""),
    "headers": ("http", b"HTTP/1.1 200 OK\r\n"),
    "body": ("http", b"HTTP/1.1 500 No\r\nContent-Length: 9\r\n\r\n"),
}


@pytest.mark.parametrize("phase", PHASES)
def test_a_hung_end_holds_a_stop_for_less_than_five_seconds(tmp_path: Path, phase: str) -> None:
    scheme, said = PHASES[phase]
    with hanging(said) as port, opened(tmp_path / "j.db") as journal:
        fill(journal, 20, 5)
        worker = worker_of(journal, config(f"{scheme}://127.0.0.1:{port}/", in_flight=4))
        worker.start()
        until(lambda: len(worker.requests) == 4, "requests hang")
        began = monotonic()
        worker.stop()
        assert not worker.join(3.0)
        worker.abandon()
        assert worker.join(2.0)
        assert monotonic() - began < 5.0
        assert [(0,)] == rows(journal.path, "SELECT seq FROM cursors")


def test_an_end_that_takes_an_event_and_hangs_in_its_answers_body_gets_it_once(tmp_path: Path) -> None:
    """The status has said that it was taken."""
    with hanging(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n") as port, opened(tmp_path / "j.db") as journal:
        fill(journal, 8, 4)
        with sending(journal, config(f"http://127.0.0.1:{port}/", in_flight=4, timeout=1.0)) as worker:
            drained(worker, 10)
            assert (8, 0) == (worker.state.delivered, worker.state.retries)


def test_forward_to_posts_signed_events_and_says_its_secret_once(tmp_path: Path) -> None:
    with PlatformThread() as stand_in, Receiver() as end:
        secrets = set()
        for number in range(2):
            with Daemon(tmp_path, "start", "--forward-to", end.url, domain=stand_in.url) as daemon:
                daemon.ready()
                from tests.connection.listening import event

                stand_in.call(stand_in.platform.push, event(number + 1))
                daemon.until(lambda number=number: len(end.got) > number, "the event")  # type: ignore[misc]
                assert 0 == daemon.stop()
            told = [line for line in daemon.stderr if "whsec_" in line]
            assert 1 == len(told)
            secrets.add(told[0].rpartition(" ")[2])
        assert 1 == len(secrets)
        assert 0o600 == (tmp_path / "state" / "forward_to_secret").stat().st_mode & 0o777
        assert all(post.headers["webhook-signature"].startswith("v1,") for post in end.posts)
