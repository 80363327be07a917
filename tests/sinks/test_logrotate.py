"""logrotate, the real one, turns the file over while lines are written: none is lost, none comes twice.

`compress` wants `delaycompress`, as with every daemon that is not told to reopen: gzip may be through with a file to
which the batch under way is still written.
"""

import gzip
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from listener.sinks.file import FileConfig
from tests.sinks.lines import Delivery, data, lines, sink_of

LOGROTATE = shutil.which("logrotate", path="/usr/sbin:/sbin:/usr/bin:/bin")
COUNT, BATCH = 3000, 10


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
    writing = threading.Thread(target=give_all, args=(delivery,))
    writing.start()
    turns = 0
    while writing.is_alive():
        rotate(tmp_path, config)
        turns += 1
    writing.join()

    assert sorted(data(*lines(1, COUNT)).splitlines()) == sorted(everything(logs))
    assert turns > 2


def give_all(delivery: Delivery) -> None:
    for first in range(1, COUNT, BATCH):
        delivery.give(lines(first, first + BATCH - 1))


def rotate(tmp_path: Path, config: Path) -> None:
    assert LOGROTATE
    subprocess.run([LOGROTATE, "--force", "--state", tmp_path / "state", config], capture_output=True, check=False)


def everything(logs: Path) -> list[bytes]:
    return [
        one
        for file in logs.iterdir()
        for one in (gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()).splitlines()
    ]
