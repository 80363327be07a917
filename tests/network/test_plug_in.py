"""A plug-in that is really installed: its settings are checked like our own, it delivers, and it passes the suite."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from listener.simulator import PlatformThread
from listener.sinks.conformance import Conformance
from tests.connection.listening import event
from tests.daemon import PROGRAM, Daemon, environment

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "tests" / "plug_in"
TESTS = sum(name.startswith("test_") for name in dir(Conformance))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory that pip has installed it into."""
    source, target = tmp_path_factory.mktemp("source") / "plug_in", tmp_path_factory.mktemp("site")
    shutil.copytree(SOURCE, source, ignore=shutil.ignore_patterns("__pycache__"))
    options = ["--no-deps", "--no-index", "--quiet", "--target", str(target)]
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", *options, str(source)]
    subprocess.run(command, check=True, timeout=120, env=os.environ | {"PIP_ROOT_USER_ACTION": "ignore"})
    return target


def path(installed: Path) -> dict[str, str]:
    return {"PYTHONPATH": f"{installed}:{ROOT}"}


def run(command: list[str], home: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, check=False, cwd=home, env=env, capture_output=True, text=True, timeout=110)


def check(home: Path, installed: Path, sink: str) -> subprocess.CompletedProcess[str]:
    (home / "config.toml").write_text(f"[[sinks]]\nname = 'ours'\n{sink}\n")
    (home / "state").mkdir(exist_ok=True)
    env = environment(home, "https://open.feishu.cn", **path(installed))
    return run([*PROGRAM, "check"], home, env)


@pytest.mark.parametrize(
    ("sink", "said"),
    [
        ("type = 'lines'", "sinks[0].address: missing; expected an address such as"),
        ("type = 'lines'\naddress = 'nowhere'", "sinks[0].address: expected an address such as"),
        ("type = 'lines'\naddress = 'h:1'\nadress = 'h:1'", 'unknown setting (did you mean "address"?)'),
        ("type = 'lines'\naddress = 'h:1'\ntimeout = 'soon'", "sinks[0].timeout: expected a duration"),
        ("type = 'line'", "sinks[0].type: expected one of"),
    ],
)
def test_its_settings_are_checked_like_our_own(tmp_path: Path, installed: Path, sink: str, said: str) -> None:
    done = check(tmp_path, installed, sink)
    assert (78, True) == (done.returncode, said in done.stderr), done.stderr


def test_check_names_it(tmp_path: Path, installed: Path) -> None:
    done = check(tmp_path, installed, "type = 'lines'\naddress = '127.0.0.1:4711'")
    assert 0 == done.returncode, done.stderr
    assert "ours: lines, record" in done.stdout


def test_the_daemon_delivers_to_it(tmp_path: Path, installed: Path) -> None:
    sys.path.insert(0, str(SOURCE))
    try:
        from helpdesk_lines.end import End  # type: ignore[import-not-found]
    finally:
        sys.path.remove(str(SOURCE))
    with PlatformThread() as stand_in, End(tmp_path) as end:
        address = end.settings()["address"]
        config = f"[[sinks]]\nname = 'ours'\ntype = 'lines'\naddress = '{address}'\n"
        with Daemon(tmp_path, domain=stand_in.url, config=config, env=path(installed)) as daemon:
            daemon.ready()
            for number in range(3):
                stand_in.call(stand_in.platform.push, event(number))
            daemon.until(lambda: len(end.got()) == 3, "all have come")
            assert 0 == daemon.stop()


def test_it_passes_the_conformance_suite_with_one_line(tmp_path: Path, installed: Path) -> None:
    env = os.environ | path(installed)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--pyargs", "listener.sinks.conformance"]
    done = run(command, tmp_path, env)
    assert 0 == done.returncode, done.stdout
    assert f"{TESTS} passed" in done.stdout
