"""`doctor --json` as the tests read it."""

import json
from dataclasses import dataclass
from typing import Any

from tests.inprocess import Commands

HELPDESK, TOKEN = "6626871355780366331", "ht-demo-token"
OURS = {"FEISHU_HELPDESK_ID": HELPDESK, "FEISHU_HELPDESK_TOKEN": TOKEN}
SECRETS = ("demo-secret", TOKEN, "wrong-secret")


@dataclass(frozen=True)
class Examined:
    """What came of it: the exit code, and the steps by name."""

    rc: int
    steps: dict[str, dict[str, Any]]

    def named(self, state: str) -> list[str]:
        """The steps of that state, in their order."""
        return [name for name, step in self.steps.items() if step["state"] == state]

    def said(self, name: str) -> str:
        """A step's fact and mend."""
        return f"{self.steps[name]['fact']} → {self.steps[name]['mend']}"


def examine(commands: Commands, domain: str, *arguments: str, **env: str) -> Examined:
    """Runs it, and looks that no secret is shown."""
    result = commands.run("doctor", "--json", *arguments, domain=domain, **(OURS | env))
    for secret in SECRETS:
        assert secret not in result.all
    found = json.loads(result.out)
    assert found["ok"] == (result.rc == 0)
    return Examined(result.rc, {step["name"]: step for step in found["steps"]})
