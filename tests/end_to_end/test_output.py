"""What a command does when its output can't be written."""

import subprocess
import sys
from pathlib import Path

import pytest

from listener.journal import Journal
from tests.journal.keeping import keep_ids

CONFIG = '[feishu]\napp_id = "cli_a"\napp_secret = "s"\n[journal]\npath = "{}"\n'


@pytest.mark.parametrize(
    "command",
    [["schema"], ["tail"], ["tail", "--format", "raw"], ["status", "--json"], ["--help"], ["service", "print"]],
)
def test_a_full_disk_behind_stdout_is_74_and_one_line(tmp_path: Path, command: list[str]) -> None:
    journal = Journal(tmp_path / "j.db")
    journal.start()
    keep_ids(journal, "a")
    journal.close()
    config = tmp_path / "config.toml"
    config.write_text(CONFIG.format(tmp_path / "j.db"))
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "listener", "-c", str(config), *command],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (74, 1) == (done.returncode, len(done.stderr.splitlines())), done.stderr
    assert "No space left" in done.stderr
