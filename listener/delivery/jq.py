"""Runs the expressions of `filter` and `transform` by jq, in a child process (jq_child.py says why).

Each sink has a process of its own. One that takes too long over an event, or dies of it, is started anew, and the event
has failed.
"""

import json
import os
import pkgutil
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from enum import Enum
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

from listener.base.errors import ConfigError
from listener.base.logs import get_logger
from listener.base.text import peers_words
from listener.sinks.base import SinkConfig

CPU_LIMIT: Final = 0.75  # seconds of the child's processor time over one event
WALL_LIMIT: Final = 10.0  # seconds over one event, where the processor has no time for the child
A_BYTE: Final = 1e-6  # seconds more for each byte of the largest event: reading it takes half of that
START_LIMIT: Final = 5.0  # seconds of processor time for a start, of which it needs 0.05
LOOK: Final = 0.05  # seconds between looks at the child's processor time
FEW: Final = 8  # answers that are worth waking up for one by one
AN_EVENT: Final = 50e-6  # seconds that an answer takes at least
AT_A_TIME: Final = 0.005  # seconds of answers that are read together
PAUSE: Final = 1.0  # seconds between attempts to start it
_FROM_OUTSIDE: Final = (-signal.SIGKILL, -signal.SIGTERM)  # not what an expression can make of its process
log = get_logger(__name__)


class JqFailure(NamedTuple):
    """Why the expressions have no result for an event; its dead letter says so."""

    reason: str


class _End(Enum):
    DONE = "all is answered"
    SLOW = "the expression takes too long"
    DIED = "the process of the expression died: too much memory, or a crash"
    KILLED = "the process of the expression was killed twice"
    STOPPING = "the sink stops"


Result = bytes | None | JqFailure
"""The line after transform, None where the event is filtered, or why there is neither."""


class Program:
    """Runs a sink's expressions. It is used in one thread, and starts its process at the first event."""

    def __init__(self, expressions: Mapping[str, str], stopping: threading.Event) -> None:
        self._expressions, self._stopping = dict(expressions), stopping
        self._transforms = "transform" in expressions
        self._child: _Child | None = None

    @classmethod
    def of(cls, config: SinkConfig, stopping: threading.Event) -> "Program | None":
        """Returns the program of a sink's expressions, None where it has none."""
        expressions = expressions_of(config)
        return cls(expressions, stopping) if expressions else None

    def compile(self) -> None:
        """Starts the process. Raises ConfigError where an expression is wrong, OSError where no process can start."""
        self._child = self._child or _Child(self._expressions)

    def run(self, lines: Sequence[bytes]) -> list[Result]:
        """Returns a result for each line, up to the first failure; fewer where the process was started anew."""
        results, end = self._exchange(lines)
        if end is _End.KILLED and len(results) < len(lines):  # by somebody else: once more, alone
            again, end = self._exchange(lines[len(results) : len(results) + 1])
            results += again
        if end in (_End.DIED, _End.KILLED, _End.SLOW):
            results.append(JqFailure(f"jq: {end.value}"))
        return results

    @property
    def pid(self) -> int | None:
        """Returns the process's id, or None while there is no process."""
        return self._child.pid if self._child else None

    def close(self) -> None:
        """Ends the process."""
        if self._child:
            self._child.kill()
            self._child = None

    def _exchange(self, lines: Sequence[bytes]) -> tuple[list[Result], _End]:
        child = self._started()
        if child is None:
            return [], _End.STOPPING
        answers, end = child.ask(lines, self._stopping, CPU_LIMIT + max(map(len, lines), default=0) * A_BYTE)
        if end is not _End.DONE:
            self.close()
        results: list[Result] = []
        for line, answer in zip(lines, answers, strict=False):
            results.append(self._result(line, answer))
            if isinstance(results[-1], JqFailure):
                return results, _End.DONE
        return results, end

    def _result(self, line: bytes, answer: bytes) -> Result:
        match answer[:1]:
            case b"+":
                return answer[1:] if self._transforms else line
            case b"-":
                return None
        return JqFailure(f"jq: {_cleaned(json.loads(answer[1:] or b'null'))}")

    def _started(self) -> "_Child | None":
        """Returns the running process; waits until it can be started, unless the sink stops."""
        while self._child is None:
            try:
                self.compile()
            except (ConfigError, OSError) as e:  # it compiled when the settings were read
                log.warning("the process for jq can't be started", because=str(e))
                if self._stopping.wait(PAUSE):
                    return None
        return self._child


class _Child:
    """A running jq process with its two pipes; every wait for them is bounded."""

    def __init__(self, expressions: Mapping[str, str]) -> None:
        self._process = _spawn()
        self.pid = self._process.pid
        self._pipes = [pipe for pipe in (self._process.stdin, self._process.stdout) if pipe]
        self._in, self._out = (pipe.fileno() for pipe in self._pipes)
        for pipe in self._pipes:
            os.set_blocking(pipe.fileno(), False)
        self._rest = b""
        answers, _ = self.ask([json.dumps(expressions).encode()], threading.Event(), START_LIMIT)
        if not answers:
            self.kill()
            names = " and ".join(expressions)
            raise ConfigError(f"{names}: the process that compiles it died: too much memory, or a broken package jq")
        problem = json.loads(answers[0])
        if problem:
            self.kill()
            raise ConfigError(f"{problem['setting']}: {problem['problem']}", hint=_HINT)

    def ask(
        self, lines: Sequence[bytes], stopping: threading.Event, limit: float = CPU_LIMIT
    ) -> tuple[list[bytes], _End]:
        """Hands lines to the process; returns its answers in order, and why there are no more."""
        answers: list[bytes] = []
        self._unsent = memoryview(b"\n".join([*lines, b""]))
        cpu, wall = self._cpu(), time.monotonic()
        while len(answers) < len(lines):
            try:
                fresh = self._turn()
            except (BrokenPipeError, EOFError):
                return answers, _End.KILLED if self._process.wait() in _FROM_OUTSIDE else _End.DIED
            if fresh:
                answers += fresh
                cpu, wall = self._cpu(), time.monotonic()
                if (left := len(lines) - len(answers)) > FEW:
                    time.sleep(min(left * AN_EVENT, AT_A_TIME))
            elif self._cpu() - cpu > limit or time.monotonic() - wall > WALL_LIMIT:
                return answers, _End.SLOW
            elif stopping.is_set() and time.monotonic() - wall > LOOK:
                return answers, _End.STOPPING
        return answers, _End.DONE

    def kill(self) -> None:
        """Ends the process at once, whatever it does."""
        self._process.kill()
        self._process.wait()
        for pipe in self._pipes:
            pipe.close()

    def _turn(self) -> list[bytes]:
        """Writes and reads what the pipes take and have within LOOK; returns the answers that are complete by now."""
        poll = select.poll()
        poll.register(self._out, select.POLLIN)
        if self._unsent:
            poll.register(self._in, select.POLLOUT)
        ready = dict(poll.poll(LOOK * 1000))
        with suppress(BlockingIOError):
            if self._in in ready:
                self._unsent = self._unsent[os.write(self._in, self._unsent) :]
        return self._read() if self._out in ready else []

    def _read(self) -> list[bytes]:
        data = os.read(self._out, 2**16)
        if not data:
            raise EOFError
        *whole, self._rest = (self._rest + data).split(b"\n")
        return whole

    def _cpu(self) -> float:
        """Returns the processor time that the process has used, in seconds (clock_getcpuclockid(3) says how)."""
        try:
            return time.clock_gettime((~self._process.pid << 3) | 2)
        except OSError:
            return 0.0


_HINT = "the manual of jq: https://jqlang.org/manual/"


def expressions_of(config: SinkConfig) -> dict[str, str]:
    """Returns a sink's expressions by the names of their settings."""
    # A chat's `text` is its transform under the name that says what it makes.
    given = {"filter": config.filter, "transform": config.transform or getattr(config, "text", None)}
    return {name: expression for name, expression in given.items() if expression is not None}


def refuse_broken(sinks: Iterable[SinkConfig]) -> None:
    """Raises one ConfigError that names every expression of these sinks that does not compile, and where it stands."""
    problems = [problem for sink in sinks for problem in _problems(sink)]
    if problems:
        raise ConfigError("\n".join(problems), hint=_HINT)


def _problems(sink: SinkConfig) -> list[str]:
    problems = []
    for name, expression in expressions_of(sink).items():
        program = Program({name: expression}, threading.Event())
        try:
            program.compile()
        except (ConfigError, OSError) as e:
            problems.append(f"sink {sink.name}: {e}")
        finally:
            program.close()
    return problems


def _spawn() -> "subprocess.Popen[bytes]":
    """Starts the process, isolated from the environment, the working directory's modules and our descriptors."""
    spec = find_spec("jq")
    source = pkgutil.get_data("listener.delivery", "jq_child.py")
    if spec is None or spec.origin is None or source is None:
        raise ConfigError("filter and transform need the package jq", hint="pip install jq")
    command = [sys.executable, "-I", "-S", "-c", source.decode(), str(Path(spec.origin).parent)]
    return subprocess.Popen(  # noqa: S603 our own interpreter and program
        command,
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={},
        cwd="/",
        start_new_session=True,
    )


def _cleaned(text: object) -> str:
    """Returns jq's words, which may quote the event, printable, on one line and short."""
    return peers_words(str(text))[:200]
