"""logrotate, the real one, turns the file over while lines are written: none is lost, none comes twice.

`compress` wants `delaycompress`, as with every daemon that is not told to reopen: gzip may be through with a file to
which the batch under way is still written.
"""

import gzip
import shutil
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from listener.sinks.file import FileConfig
from tests.sinks.lines import Delivery, data, lines, sink_of

LOGROTATE = shutil.which("logrotate", path="/usr/sbin:/sbin:/usr/bin:/bin")
TURNS, BATCH = 12, 10


@pytest.mark.skipif(LOGROTATE is None, reason="logrotate is not installed (apt-get install logrotate)")
@pytest.mark.parametrize(
    "how",
    ["create 0640", "nocreate", "create 0640\n compress\n delaycompress", "create 0640\n dateext\n dateformat -%s"],
)
def test_no_line_is_lost_or_twice(tmp_path: Path, how: str) -> None:
    logs = tmp_path / "logs"
    logs.mkdir(0o750)
    path = logs / "tickets.jsonl"
    config = tmp_path / "logrotate.conf"
    config.write_text(f"{path} {{\n rotate 1000\n {how}\n}}\n", encoding="utf-8")
    config.chmod(0o600)
    delivery = Delivery(sink_of(FileConfig(name="archive", path=path, fsync="never")))
    enough = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write_until, enough, delivery)
        for _ in range(TURNS):
            rotate(tmp_path, config)
        enough.set()

    assert len(list(logs.iterdir())) > 1
    assert sorted(data(*lines(1, writing.result())).splitlines()) == sorted(everything(logs))


def write_until(enough: threading.Event, delivery: Delivery) -> int:
    """How many lines there were."""
    for first in count(1, BATCH):
        delivery.give(lines(first, first + BATCH - 1))
        if enough.is_set():
            return first + BATCH - 1
    raise AssertionError


def rotate(tmp_path: Path, config: Path) -> None:
    assert LOGROTATE
    subprocess.run([LOGROTATE, "--force", "--state", tmp_path / "state", config], capture_output=True, check=False)


def everything(logs: Path) -> list[bytes]:
    return [
        one
        for file in logs.iterdir()
        for one in (gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()).splitlines()
    ]
