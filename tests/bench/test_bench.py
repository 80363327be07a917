"""The benchmark runs, and says what it is asked for; how fast anything is, is not asserted here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

KEYS = {"machine", "starts", "help", "rates", "end_to_end", "idle", "burst", "sinks", "slow_sync", "journals", "limits"}


@pytest.mark.slow
def test_it_runs_and_says_everything(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    command = [sys.executable, "-m", "tests.bench", "--tiny", "--json", str(path), "--directory", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert 0 == done.returncode, done.stderr
    figures = json.loads(path.read_text())
    assert KEYS == set(figures)
    assert ["1", "64", "1024"] == list(figures["rates"]["unacked"])
    ratios = {"ratio", "ratio_to_quiet", "ratio_to_null"}
    assert {"listener", "sample", "quiet", "null"} | ratios == set(figures["rates"]["unacked"]["64"])
    small = ("less the bare sync", "idle: ")  # a difference of medians, or of few ticks: it may be 0 or less
    assert all(limit["figure"] > 0 for limit in figures["limits"] if not any(one in limit["name"] for one in small))
    for limit in figures["limits"]:
        assert limit["name"] in done.stdout
    assert [path] == list(tmp_path.iterdir())  # nothing is left behind
