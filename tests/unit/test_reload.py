from pathlib import Path

import pytest

from listener.app.reload import merged, needs_restart
from listener.settings.config import Settings, load

ENV = {"FEISHU_APP_ID": "cli_a", "STATE_DIRECTORY": "/state", "LOGS_DIRECTORY": "/logs"}
CONFIG = """
[feishu]
app_secret = "first-secret"
[journal]
keep = "7d"
[[sinks]]
name = "archive"
type = "file"
path = "a.jsonl"
[log]
level = "info"
"""


def _settings(path: Path, text: str) -> Settings:
    (path / "config.toml").write_text(text, encoding="utf-8")
    (path / "config.toml").chmod(0o600)
    return load(path / "config.toml", ENV)


LIVE = {
    "sinks": ("a.jsonl", "b.jsonl"),
    "log": ('level = "info"', 'level = "debug"'),
    "journal.keep": ('keep = "7d"', 'keep = "8d"'),
    "journal.max_size": ('keep = "7d"', 'keep = "7d"\nmax_size = "2GiB"'),
    "feishu.renew_every": ("[feishu]", '[feishu]\nrenew_every = "never"'),
    "source.verification_token": ("[log]", '[source]\nverification_token = "new-token"\n[log]'),
    "feishu.app_secret": ("first-secret", "second-secret"),
}


@pytest.mark.parametrize("setting", LIVE)
def test_what_changes_live(setting: str, tmp_path: Path) -> None:
    before, after = LIVE[setting]
    running, wanted = _settings(tmp_path, CONFIG), _settings(tmp_path, CONFIG.replace(before, after))
    assert running != wanted
    assert [] == needs_restart(running, wanted)
    assert wanted == merged(running, wanted)


FIXED = {
    "feishu.domain": ("[feishu]", '[feishu]\ndomain = "https://open.larksuite.com"'),
    "feishu.slow_retry.max_delay": ("[feishu]", '[feishu]\nslow_retry.max_delay = "1m"'),
    "feishu.events": ("[feishu]", '[feishu]\nevents = ["helpdesk.ticket.created_v1"]'),
    "journal.path": ("[journal]", '[journal]\npath = "other.db"'),
    "http.listen": ("[log]", '[http]\nlisten = "127.0.0.1:9464"\n[log]'),
}


@pytest.mark.parametrize("setting", FIXED)
def test_what_waits_for_a_restart_is_named(setting: str, tmp_path: Path) -> None:
    before, after = FIXED[setting]
    running = _settings(tmp_path, CONFIG)
    wanted = _settings(tmp_path, CONFIG.replace(before, after).replace("a.jsonl", "b.jsonl"))
    assert [setting] == needs_restart(running, wanted)
    settings = merged(running, wanted)
    assert wanted.sinks == settings.sinks
    assert [] == needs_restart(running, settings)
