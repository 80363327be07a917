"""kill -9 of daemon and server under load; `python -m tests.engines.rounds` for more of it."""

from pathlib import Path

import pytest

from tests.engines.ends import ENDS
from tests.engines.rounds import run


@pytest.mark.slow
@pytest.mark.parametrize("kind", ENDS)
def test_kill_9_of_daemon_and_server_under_load(tmp_path: Path, kind: str) -> None:
    figures = run(kind, 5, 2, tmp_path, seed=1)
    assert figures.good, figures
