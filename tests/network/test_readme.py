"""The recipes work as pasted, in both languages."""

import base64
import json
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from listener.settings.config import load
from listener.sinks.chat import ChatConfig
from listener.sinks.exec import ExecConfig
from listener.sinks.http import signed
from tests.journal.keeping import opened
from tests.network.sending import drained, fill, sending

ROOT = Path(__file__).parents[2]
README = (ROOT / "listener" / "sinks" / "README.md").read_text(encoding="utf-8")
CHINESE = (ROOT / "listener" / "sinks" / "README.zh-CN.md").read_text(encoding="utf-8")
KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
BODY = '{"text":"请问"}'.encode()


def recipe(language: str) -> str:
    found = re.search(rf"```{language}\n((?:(?!```).)*verify(?:(?!```).)*)```", README, re.DOTALL)
    assert found
    return found[1]


def test_python() -> None:
    scope: dict[str, Any] = {}
    exec(recipe("python"), scope)  # noqa: S102 our own page
    headers = signed("e1", int(time.time()), BODY, KEY)
    assert scope["verify"](SECRET, headers, BODY)
    assert not scope["verify"](SECRET, headers, BODY + b" ")
    assert not scope["verify"](SECRET, signed("e1", 1, BODY, KEY), BODY)


@pytest.mark.skipif(shutil.which("node") is None, reason="no node here")
def test_node() -> None:
    headers = json.dumps(signed("e1", int(time.time()), BODY, KEY))
    call = f"verify('{SECRET}', {headers}, Buffer.from('{BODY.hex()}', 'hex'))"
    wrong = f"verify('{SECRET}', {headers}, Buffer.from('00'))"
    script = recipe("js") + f"\nconsole.log({call}, {wrong})"
    done = subprocess.run(["node", "-e", script], capture_output=True, text=True, check=True, timeout=30)
    assert "true false" == done.stdout.strip()


def recipes(page: str) -> list[tuple[str, str]]:
    """(language, text) of the blocks that stand under the recipes' heading."""
    part = re.split(r"^## (?:Recipes|常用配置)$", page, flags=re.MULTILINE)[1].split("\n## ")[0]
    return re.findall(r"```(\w+)\n(.*?)```", part, re.DOTALL)


@pytest.mark.parametrize("page", [README, CHINESE], ids=["en", "zh"])
def test_the_settings_are_read(tmp_path: Path, page: str) -> None:
    (tmp_path / "feishu_bot_url").write_text("https://open.feishu.cn/open-apis/bot/v2/hook/0a1b2c")
    (tmp_path / "feishu_bot_url").chmod(0o600)
    (tmp_path / "config.toml").write_text("\n".join(text for language, text in recipes(page) if language == "toml"))
    env = {"FEISHU_APP_ID": "cli_a", "FEISHU_APP_SECRET": "a-secret", "HOME": str(tmp_path)}
    group, queue = load(tmp_path / "config.toml", env).sinks
    assert isinstance(group, ChatConfig)
    assert (("guest",), ("email", "phone")) == (group.only and group.only.sender, group.mask)
    assert isinstance(queue, ExecConfig)
    assert ("batch", ("SPOOL=/var/spool/helpdesk",)) == (queue.mode, queue.env)


@pytest.mark.parametrize("page", [README, CHINESE], ids=["en", "zh"])
def test_the_command_that_feeds_a_queue(tmp_path: Path, page: str) -> None:
    (script,) = [text for language, text in recipes(page) if language == "python"]
    command, spool = tmp_path / "to-spool", tmp_path / "spool"
    spool.mkdir()
    command.write_text(script)
    command.chmod(0o700)
    with opened(tmp_path / "j.db") as journal:
        ids = fill(journal, 30, 5)
        config = ExecConfig(name="queue", command=(str(command),), mode="batch", env=(f"SPOOL={spool}",))
        with sending(journal, config) as worker:
            drained(worker, 30)
    assert sorted(f"{one}.json" for one in ids) == sorted(path.name for path in spool.iterdir())
    assert {"e7"} == {json.loads((spool / "e7.json").read_text())["event_id"]}
