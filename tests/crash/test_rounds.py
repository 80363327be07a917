"""kill -9 under load; `python -m tests.crash.rounds` for more of it."""

from pathlib import Path

import pytest

from tests.crash.rounds import run


@pytest.mark.parametrize("rounds", [1, pytest.param(8, marks=pytest.mark.slow)])
def test_kill_9_under_load(tmp_path: Path, rounds: int) -> None:
    figures = run(rounds, seed=rounds, home=tmp_path)
    assert figures.good, figures
