"""Tools of scenario.py: commands, systemd's view of the unit, the events in the file and those that were pushed."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from listener.simulator import PlatformThread, conversation

PROGRAM = str(Path(sys.prefix, "bin", "helpdesk-listen"))
UNIT = "helpdesk-listen.service"
CONFIG, SECRET = Path("/etc/helpdesk-listen/config.toml"), Path("/etc/helpdesk-listen/app_secret")
EVENTS = Path("/var/log/helpdesk-listen/tickets.jsonl")
DROP_IN = Path(f"/etc/systemd/system/{UNIT}.d/test.conf")
APP = {"FEISHU_APP_ID": "cli_a5ca1ab1e0ddba11", "FEISHU_APP_SECRET": "demo-secret"}


def run(*argv: str, **env: str) -> tuple[int, str]:
    done = subprocess.run(argv, capture_output=True, text=True, env={**os.environ, **env}, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def timed(*argv: str) -> tuple[int, float]:
    began = time.monotonic()
    return run(*argv)[0], time.monotonic() - began


def until(holds: Callable[[], object], what: str, within: float = 30.0) -> float:
    """Seconds that it took."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > within:
            raise AssertionError(f"after {within} s still not: {what}\n{run('journalctl', '-n60', '-u', UNIT)[1]}")
        time.sleep(0.02)
    return time.monotonic() - began


def show(*names: str, unit: str = UNIT) -> list[str]:
    """Properties of the unit, in the order asked for."""
    told = dict(line.split("=", 1) for line in run("systemctl", "show", unit)[1].splitlines() if "=" in line)
    return [told.get(name, "") for name in names]


def main_pid() -> int:
    return int(show("MainPID")[0])


def running_again(old: int) -> bool:
    state, pid = show("ActiveState", "MainPID")
    return state == "active" and int(pid) not in (0, old)


def events(path: Path = EVENTS) -> list[str]:
    """The ids in the file, in its order; a line that is torn raises."""
    return [json.loads(line)["event_id"] for line in path.read_text().splitlines()] if path.exists() else []


class Feed:
    """Pushes events and remembers their ids."""

    def __init__(self, stand_in: PlatformThread) -> None:
        self.stand_in, self.pushed = stand_in, list[Any]()
        self._events = conversation()

    def push(self, count: int, pause: float = 0.0) -> None:
        for _ in range(count):
            self.pushed.append(self.stand_in.call(self.stand_in.platform.push, next(self._events)))
            time.sleep(pause)

    def settled(self) -> None:
        for delivery in self.pushed:
            self.stand_in.call(delivery.acked)

    def complete(self) -> dict[str, int]:
        """Once all that was pushed is acked and delivered: how many, and how many lines and different ids there are."""
        self.settled()
        until(lambda: len(set(events())) >= len(self.pushed), "all events in the file")
        return {"pushed": len(self.pushed), "lines": len(events()), "different": len(set(events()))}
