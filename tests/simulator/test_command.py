"""`python -m listener.simulator`: the stand-in on its own."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def running(*arguments: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """The process and the URL that it says it serves."""
    command = [sys.executable, "-m", "listener.simulator", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            yield process, process.stderr.readline().split()[0].partition("=")[2]
        finally:
            process.kill()


def null_client(domain: str) -> int:
    """Acks all it gets until the stand-in closes; how many that were."""
    command = [sys.executable, "-m", "tests.simulator.null_client", domain]
    return int(subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout)


def test_it_pushes_a_conversation_and_exits_when_all_is_acked() -> None:
    with running("--rate", "500", "--count", "12", "--exit") as (process, domain):
        assert 12 == null_client(domain)
        out, err = process.communicate(timeout=20)
    assert (0, "") == (process.returncode, out)
    assert {"accepted": 1, "pushes": 12, "redelivered": 0, "acked": 12} == json.loads(err)


def test_it_floods_and_reports() -> None:
    with running("--flood", "64", "--count", "2000", "--exit") as (process, domain):
        assert 2000 == null_client(domain)
        out, _ = process.communicate(timeout=20)
    report = json.loads(out)
    assert (2000, 0, 0) == (report["events"], report["bounced"], report["given_up"])


def test_a_signal_ends_it() -> None:
    with running() as (process, domain):
        assert domain.startswith("http://127.0.0.1:")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    assert 0 == process.returncode
