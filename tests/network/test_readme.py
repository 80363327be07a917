"""The recipe that verifies a signature works as pasted."""

import base64
import json
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from listener.sinks.http import signed

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
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
