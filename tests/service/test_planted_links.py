"""Root's commands in directories of another user, who may have planted links there."""

import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

import listener
from listener.journal import Cursor
from tests.daemon import environment
from tests.journal.keeping import keep_ids, opened

NOBODY = 65534
SECRET = b"root's own\n"
CONFIG = """[[sinks]]
name = "archive"
type = "file"
path = "out.jsonl"
start = "earliest"
"""
MODULES = os.pathsep.join([str(Path(listener.__file__).parent.parent), sysconfig.get_path("purelib")])
FOUND = {"PYTHONPATH": MODULES, "PYTHONDONTWRITEBYTECODE": "1"}
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be led astray")


@pytest.fixture
def python() -> str:
    """An interpreter and modules that another user can read, as those of a package are."""
    for candidate in (sys.executable, "/usr/bin/python3"):
        tried = [candidate, "-c", "import listener.cli.main, msgspec, typer"]
        with suppress(OSError, subprocess.CalledProcessError):
            subprocess.run(tried, user=NOBODY, group=NOBODY, env=FOUND, cwd="/", capture_output=True, check=True)
            return candidate
    pytest.skip("no interpreter here that another user may run")


@pytest.fixture
def home() -> Iterator[Path]:
    """A home of another user, with a journal of two events, and a file of root's that no one else may touch."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        (home / "config.toml").write_text(CONFIG)
        for part in ("state", "logs"):
            (home / part).mkdir()
        with opened(home / "state" / "helpdesk.db") as journal:
            journal.attach([("archive", True)])
            keep_ids(journal, "a", "b")
            journal.advance("archive", Cursor(2))
        for one in (home, *home.rglob("*")):
            os.chown(one, NOBODY, NOBODY)
        victim = home / "victim"
        victim.write_bytes(SECRET)
        victim.chmod(0o600)
        home.chmod(0o755)
        yield home


def called(python: str, home: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    env = environment(home, "http://127.0.0.1:1") | FOUND
    command = [python, "-m", "listener", "-c", str(home / "config.toml"), *arguments]
    return subprocess.run(command, env=env, cwd=home, capture_output=True, timeout=60, check=False)


REPLAY = ("replay", "--sink", "archive", "--since", "1h")


def test_what_the_command_writes_belongs_to_the_directorys_owner(python: str, home: Path) -> None:
    done = called(python, home, *REPLAY)
    assert (0, b"") == (done.returncode, done.stdout), done.stderr
    assert NOBODY == (home / "logs" / "out.jsonl").stat().st_uid


@pytest.mark.parametrize("planted", ["state/helpdesk.db.lock", "logs/out.jsonl"])
def test_a_planted_link_reaches_nothing_of_roots(python: str, home: Path, planted: str) -> None:
    link = home / planted
    link.unlink(missing_ok=True)
    link.symlink_to(home / "victim")
    done = called(python, home, *REPLAY)
    assert SECRET == (home / "victim").read_bytes()
    assert done.returncode in {74, 75, 69, 78}, done
    assert any(os.fsencode(one) in done.stderr for one in (link, home / "victim"))
    assert b"Traceback" not in done.stderr
