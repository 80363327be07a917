"""The client libraries are extras: loaded where a sink is used, and named where one is missing."""

import subprocess
import sys
from pathlib import Path

import pytest

from listener.base.errors import ConfigError
from listener.settings.config import load
from listener.sinks import TYPES

NEEDED = {
    "postgresql": 'dsn = "postgresql://u@localhost/d"',
    "nats": 'servers = ["nats://localhost"]',
    "redis": 'url = "redis://localhost"',
    "kafka": 'brokers = ["localhost:9092"]\ntopic = "t"',
}
ENV = {"HOME": "/home/me", "FEISHU_APP_ID": "cli_a", "FEISHU_APP_SECRET": "x-secret"}


def config(tmp_path: Path, *kinds: str) -> Path:
    text = "".join(f'[[sinks]]\nname = "{kind}"\ntype = "{kind}"\n{NEEDED[kind]}\n' for kind in kinds)
    path = tmp_path / "config.toml"
    path.write_text(text)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("kind", NEEDED)
def test_a_missing_library_is_told_with_the_command_that_installs_it(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, TYPES[kind].needs, None)  # as Python says it: not to be had
    with pytest.raises(ConfigError, match=rf'pip install "helpdesk-listen\[{kind}\]"'):
        load(config(tmp_path, kind), ENV)


def test_no_library_is_loaded_by_reading_settings_or_making_sinks(tmp_path: Path) -> None:
    program = f"""
import sys
from pathlib import Path
from listener.settings.config import load
from listener.sinks import TYPES, new_network_sink
settings = load(Path({str(config(tmp_path, *NEEDED))!r}), {ENV!r})
for sink in settings.sinks:
    new_network_sink(sink)
loaded = {{kind.needs for kind in TYPES.values() if kind.needs}} & set(sys.modules)
assert len(settings.sinks) == {len(NEEDED)} and not loaded, loaded
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


@pytest.mark.parametrize("kind", NEEDED)
def test_a_http_proxy_is_no_way_to_them(tmp_path: Path, kind: str) -> None:
    path = config(tmp_path, kind)
    path.write_text(path.read_text() + 'proxy = "http://proxy.example:3128"\n')
    with pytest.raises(ConfigError, match="proxy is for HTTP"):
        load(path, ENV)
