"""Many reloads, sinks in and out, on a disk whose syncs take 100 ms: nothing missing, nothing twice."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMPILER = shutil.which("cc")


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.skipif(COMPILER is None, reason="no C compiler, which makes SQLite's syncs slow too")
@pytest.mark.parametrize("reloads", [200, pytest.param(1000, marks=pytest.mark.long)])
def test_reloads_lose_and_repeat_nothing(tmp_path: Path, reloads: int) -> None:
    library = tmp_path / "slow_sync.so"
    source = ROOT / "tests" / "service" / "slow_sync.c"
    subprocess.run([str(COMPILER), "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    home = tmp_path / "home"
    home.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "tests.service.reloading", home, str(reloads)],
        cwd=ROOT,
        env=os.environ | {"LD_PRELOAD": str(library), "SLOW_SYNC_MS": "100"},
        capture_output=True,
        text=True,
        check=True,
    )
    nothing = dict.fromkeys("abc", 0)
    wanted = {"missing": nothing, "twice": nothing, "in_order": True, "aside": []}
    assert wanted == json.loads(done.stdout.splitlines()[-1])
