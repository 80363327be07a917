"""`helpdesk-listen` as a process of its own, for tests.

    with PlatformThread() as stand_in, Daemon(tmp_path, domain=stand_in.url) as daemon:
        daemon.ready()
        stand_in.call(stand_in.platform.push, payload)
        daemon.until(lambda: daemon.stdout, "a record")
        assert 0 == daemon.stop()

It lives in `home`: working directory, state, logs and configuration are there, and nothing of the caller's
environment but the path reaches it, proxies least of all. It is killed on leaving, whatever happened.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Self

PROGRAM = (sys.executable, "-m", "listener")
STOP = 5.0  # s from a signal to the exit, the daemon's own promise
MEASURED = "COVERAGE_PROCESS_CONFIG"  # set while coverage.py measures, see pyproject.toml
_KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "VIRTUAL_ENV", MEASURED)


def environment(home: Path, domain: str = "", **more: str) -> dict[str, str]:
    """The whole environment: every directory inside `home`, the stand-in's credentials, and `more`; "" unsets."""
    own = {
        "HOME": str(home),
        "XDG_STATE_HOME": str(home / "xdg-state"),
        "XDG_CONFIG_HOME": str(home / "xdg-config"),
        "XDG_RUNTIME_DIR": str(home / "xdg-runtime"),
        "STATE_DIRECTORY": str(home / "state"),
        "LOGS_DIRECTORY": str(home / "logs"),
        "FEISHU_APP_ID": "cli_a5ca1ab1e0ddba11",
        "FEISHU_APP_SECRET": "demo-secret",
        "FEISHU_DOMAIN": domain,
    }
    merged = {name: os.environ[name] for name in _KEPT if name in os.environ} | own | more
    return {name: value for name, value in merged.items() if value}


class Daemon:
    """Started on entering.

    Args:
        home: a directory of its own, such as tmp_path; a second daemon on the same one takes over its state.
        arguments: the command line; `start` unless given.
        domain: $FEISHU_DOMAIN, such as `stand_in.url`.
        config: the text of home/config.toml. The environment beats it, see `environment`.
        env: more environment; "" unsets.
        stdout: PIPE collects `stdout`; a file or descriptor goes to the process as it is.
        program: what stands before the arguments.
    """

    def __init__(
        self,
        home: Path,
        *arguments: str,
        domain: str = "",
        config: str | None = None,
        env: Mapping[str, str] | None = None,
        stdout: int | IO[Any] = subprocess.PIPE,
        program: Sequence[str] = PROGRAM,
    ) -> None:
        self.home = home
        self.stdout: list[str] = []  # lines, without their ends
        self.stderr: list[str] = []
        self._command = [*program, *(arguments or ("start",))]
        self._environment = environment(home, domain, **(env or {}))
        self._stdout = stdout
        self._changed = threading.Condition()
        for directory in ("state", "logs"):
            (home / directory).mkdir(exist_ok=True)
        if config is not None:
            (home / "config.toml").touch(0o600)
            (home / "config.toml").write_text(config, encoding="utf-8")

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def rc(self) -> int | None:
        """The exit code, negative after a signal; None while it runs."""
        return self._process.poll()

    @property
    def records(self) -> list[Any]:
        """What stdout holds so far, as JSON."""
        return [json.loads(line) for line in list(self.stdout)]

    def until(self, holds: Callable[[], object], what: str, within: float = 30.0) -> None:
        """Waits for a condition, looking again at each line and ten times a second. Raises AssertionError."""
        deadline = time.monotonic() + within
        with self._changed:
            while not holds():
                if (left := deadline - time.monotonic()) <= 0:
                    raise AssertionError(f"after {within:g} s still not: {what}\n{self._story()}")
                self._changed.wait(min(0.1, left))

    def ready(self, times: int = 1, within: float = 30.0) -> None:
        """Waits until it has said so that many times."""
        self.until(lambda: self.said("ready") >= times or self.rc is not None, "ready", within)
        assert self.said("ready") >= times, f"ended with {self.rc}\n{self._story()}"

    def said(self, word: str) -> int:
        """On how many lines of stderr the word stands."""
        return sum(word in line for line in list(self.stderr))

    def signal(self, number: int = signal.SIGTERM) -> None:
        self._process.send_signal(number)

    def wait(self, within: float = 30.0) -> int:
        """The exit code, once it has ended by itself and all that it said is read."""
        self.until(lambda: self.rc is not None, "its end", within)
        for reader in self._readers:
            reader.join(within)
        assert self.rc is not None
        return self.rc

    def stop(self, within: float = STOP) -> int:
        """SIGTERM, and the exit code."""
        self.signal()
        return self.wait(within)

    def kill(self) -> None:
        """SIGKILL: a crash."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        self.started = time.monotonic()
        self._process = subprocess.Popen(
            self._command,
            cwd=self.home,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=self._stdout,
            stderr=subprocess.PIPE,
        )
        pipes = ((self._process.stdout, self.stdout), (self._process.stderr, self.stderr))
        self._readers = [threading.Thread(target=self._read, args=(p, to), daemon=True) for p, to in pipes if p]
        for reader in self._readers:
            reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        if MEASURED in self._environment:  # a process that is killed says nothing of the lines that it ran
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP)
        self.kill()
        for reader in self._readers:
            reader.join()

    def _read(self, pipe: IO[bytes], lines: list[str]) -> None:
        with pipe:
            for line in pipe:
                with self._changed:
                    lines.append(line.decode(errors="replace").rstrip("\n"))
                    self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def _story(self) -> str:
        return "\n".join(["-- stderr:", *self.stderr[-40:], "-- stdout:", *self.stdout[-5:]])
