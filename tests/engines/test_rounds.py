"""kill -9 under load; `python -m tests.engines.rounds` and `python -m tests.engines.three` for more of it."""

from pathlib import Path

import pytest

from tests.engines import three
from tests.engines.ends import ENDS
from tests.engines.rounds import run


@pytest.mark.slow
@pytest.mark.parametrize("kind", ENDS)
def test_kill_9_of_daemon_and_server_under_load(tmp_path: Path, kind: str) -> None:
    figures = run(kind, 5, 2, tmp_path, seed=1)
    assert figures.good, figures


@pytest.mark.slow
def test_three_daemons_of_one_app_into_one_stream(tmp_path: Path) -> None:
    figures = three.run(tmp_path, 1500, 8.0, seed=1)
    assert figures.good, figures
