"""check, init, schema, --version, --help, as they are typed."""

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from listener import __version__
from listener.simulator import PlatformThread
from tests.daemon import environment

Done = subprocess.CompletedProcess[str]


def run(home: Path, *arguments: str, domain: str = "https://open.feishu.cn", **env: str) -> Done:
    command = [sys.executable, "-m", "listener", *arguments]
    return subprocess.run(
        command, cwd=home, env=environment(home, domain, **env), capture_output=True, text=True, timeout=30, check=False
    )


def test_version(tmp_path: Path) -> None:
    assert f"helpdesk-listen {__version__}\n" == run(tmp_path, "--version").stdout


def test_schema_is_one(tmp_path: Path) -> None:
    schema = json.loads(run(tmp_path, "schema").stdout)
    assert "https://json-schema.org/draft/2020-12/schema" == schema["$schema"]


@pytest.mark.parametrize("place", ["before", "beside"])
def test_check_says_what_it_would_do(place: str, tmp_path: Path) -> None:
    (tmp_path / "app_secret").write_text("s3cret-of-mine\n")
    (tmp_path / "app_secret").chmod(0o600)
    config = '[feishu]\napp_id = "cli_x"\napp_secret_file = "app_secret"\n'
    config += '[[sinks]]\nname = "a"\ntype = "file"\npath = "a.jsonl"\n'
    (tmp_path / "mine.toml").write_text(config)
    option = ("-c", "mine.toml")
    words = (*option, "check") if place == "before" else ("check", *option)
    done = run(tmp_path, *words, FEISHU_APP_SECRET="", FEISHU_APP_ID="")
    assert 0 == done.returncode, done.stderr
    for fact in ("cli_x", "app_secret (0600)", "a.jsonl", "helpdesk.db", "7d", "1GiB"):
        assert fact in done.stdout
    assert "s3cret-of-mine" not in done.stdout + done.stderr
    assert ["app_secret", "mine.toml"] == sorted(path.name for path in tmp_path.iterdir() if path.is_file())


def test_check_online(stand_in: PlatformThread, tmp_path: Path) -> None:
    assert 0 == run(tmp_path, "check", "--online", domain=stand_in.url).returncode
    refused = run(tmp_path, "check", "--online", domain=stand_in.url, FEISHU_APP_SECRET="wrong-secret")
    assert 78 == refused.returncode
    assert "1000040345" in refused.stderr
    assert 69 == run(tmp_path, "check", "--online", domain="http://127.0.0.1:1").returncode


def test_a_config_that_is_missing(tmp_path: Path) -> None:
    for command in ("check", "start"):
        assert 78 == run(tmp_path, command, "-c", "nowhere.toml").returncode


def test_init_writes_once_and_for_the_owner(tmp_path: Path) -> None:
    assert 0 == run(tmp_path, "init").returncode
    written = tmp_path / "config.toml"
    assert 0o600 == stat.S_IMODE(written.stat().st_mode)
    before = written.read_text(encoding="utf-8")
    assert 78 == run(tmp_path, "init").returncode
    assert before == written.read_text(encoding="utf-8")


def test_usage_errors_are_2(tmp_path: Path) -> None:
    for words in (("strat",), ("start", "--for", "soon"), ("start", "--max-events", "0")):
        assert 2 == run(tmp_path, *words).returncode


def test_help_teaches(tmp_path: Path) -> None:
    text = run(tmp_path, "--help").stdout
    for word in ("start", "demo", "check", "init", "schema", "helpdesk-listen start | jq"):
        assert word in text
