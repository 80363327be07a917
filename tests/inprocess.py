"""A command of `helpdesk-listen` inside the test's process: its output and exit code, without a start's cost."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from listener.cli import main
from listener.simulator import PlatformThread
from tests.daemon import environment


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    rc: int
    out: str
    err: str

    @property
    def all(self) -> str:
        """Everything that it printed."""
        return self.out + self.err


class Commands:
    """Runs commands in `home`, with nothing of the caller's environment."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def run(self, *arguments: str, domain: str = "", **env: str) -> Result:
        """`env` changes the environment of tests/daemon.py; "" unsets."""
        with self._monkeypatch.context() as patch:
            for name in list(os.environ):
                patch.delenv(name)
            for name, value in environment(self.home, domain, **env).items():
                patch.setenv(name, value)
            patch.chdir(self.home)
            patch.setattr(sys, "argv", ["helpdesk-listen", *arguments])
            self._capsys.readouterr()
            with pytest.raises(SystemExit) as ended:
                main.main()
        out, err = self._capsys.readouterr()
        return Result(int(ended.value.code or 0), out, err)


@pytest.fixture
def stand_in() -> Iterator[PlatformThread]:
    """Feishu's part."""
    with PlatformThread() as platform:
        yield platform


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Commands:
    """In tmp_path."""
    return Commands(tmp_path, monkeypatch, capsys)
