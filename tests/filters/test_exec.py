"""The exec sink with real commands: exit codes, time-outs, its environment, both modes."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from listener.delivery.requests import attempt
from listener.sinks.exec import ExecConfig, ExecSink
from listener.sinks.results import Delivered, Rejected, Result, TryAgain
from tests.filters.test_chat import batch
from tests.journal.keeping import until

BATCH: dict[str, Any] = {"mode": "batch"}


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def told(command: tuple[str, ...], step: Callable[[ExecSink], Awaitable[Any]], **settings: Any) -> Any:
    async def run() -> Any:
        sink = ExecSink(ExecConfig(name="command", command=command, **settings))
        await sink.open()
        try:
            return await step(sink)
        finally:
            await sink.close()

    return asyncio.run(run())


def delivered(command: tuple[str, ...], count: int = 1, **settings: Any) -> list[Result]:
    seconds = settings.get("timeout", 30.0)
    results: list[Result] = told(command, lambda sink: attempt(sink, batch(count), seconds), **settings)
    return results


def test_exit_codes_mean_what_sysexits_says() -> None:
    assert [Delivered()] == delivered(("true",), **BATCH)
    words = "import sys; print('busy\\x1b[31m', file=sys.stderr); sys.exit(75)"
    assert [TryAgain("the command ended with 75: busy[31m")] == delivered(python(words), **BATCH)
    assert [Rejected("the command ended with 65")] == delivered(python("raise SystemExit(65)"), **BATCH)
    assert [TryAgain("the command ended with 1")] == delivered(("false",), **BATCH)
    assert [TryAgain("/no/such: No such file or directory", scope="endpoint")] == delivered(("/no/such",), **BATCH)
    assert [TryAgain("the command was ended by signal 9")] == delivered(
        python("import os; os.kill(os.getpid(), 9)"), **BATCH
    )


def test_a_batch_gets_its_lines_and_no_shell(tmp_path: Path) -> None:
    out = tmp_path / "$(out) ;"
    code = f"import sys; open({str(out)!r}, 'ab').write(sys.stdin.buffer.read() + b'--')"
    assert [Delivered()] * 5 == delivered(python(code), 5, mode="batch")
    assert b"".join(line.data + b"\n" for line in batch(5)) + b"--" == out.read_bytes()


def test_a_time_out_ends_the_process_group(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    code = (
        "import subprocess, sys, time; p = subprocess.Popen(['sleep', '600']);"
        f"open({str(pid)!r}, 'w').write(str(p.pid)); time.sleep(600)"
    )

    (result,) = delivered(python(code), mode="batch", timeout=2.0)
    assert TryAgain("no answer within 2 s") == result
    until(lambda: not _lives(int(pid.read_text())), "the grandchild ended")


def _lives(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")")[1].split()[0]
    except OSError:
        return False


@pytest.fixture
def leaves(tmp_path: Path) -> Iterator[Callable[[bool], str]]:
    """The program of a command that leaves a process running, with its pipes and in the group or in a session apart."""
    pids = tmp_path / "pids"

    def code(apart: bool) -> str:
        return (
            f"import subprocess, sys, time; p = subprocess.Popen(['sleep', '600'], start_new_session={apart});"
            f"print(p.pid, file=open({str(pids)!r}, 'a')); print('said', file=sys.stderr, flush=True);"
        )

    yield code
    for pid in map(int, pids.read_text().split()):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("apart", [False, True])
def test_what_a_command_leaves_running_does_not_hold_it_up(leaves: Callable[[bool], str], apart: bool) -> None:
    """It holds standard error and standard input open, and reads nothing of what the pipe can't hold."""
    assert [Delivered()] * 400 == delivered(python(leaves(apart)), 400, mode="batch")
    failing = python(leaves(apart) + "sys.exit(3)")
    assert [TryAgain("the command ended with 3: said")] == delivered(failing, mode="batch")


def test_a_time_out_does_not_wait_for_what_has_left_the_group(leaves: Callable[[bool], str]) -> None:
    slow = python(leaves(True) + "time.sleep(600)")
    assert [TryAgain("no answer within 2 s")] == delivered(slow, mode="batch", timeout=2.0)


def test_what_a_command_leaves_running_costs_no_descriptor(leaves: Callable[[bool], str]) -> None:
    async def open_after(sink: ExecSink, runs: int) -> int:
        for _ in range(runs):
            await attempt(sink, batch(1), 30.0)
        return len(os.listdir("/proc/self/fd"))

    async def grown(sink: ExecSink) -> int:
        return -await open_after(sink, 1) + await open_after(sink, 3)

    assert 0 == told(python(leaves(True)), grown, mode="batch")


def test_a_clean_environment_with_what_the_settings_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FEISHU_APP_SECRET", "very secret")
    monkeypatch.setenv("MINE", "here")
    out = tmp_path / "env"
    code = (
        f"import os; open({str(out)!r}, 'w').write(repr(sorted(set(os.environ) - {{'LC_CTYPE'}})) + os.environ['MODE'])"
    )
    assert [Delivered()] == delivered(python(code), env=("MINE", "MODE=a=b", "NOT_SET"), **BATCH)
    assert "['MINE', 'MODE', 'PATH']a=b" == out.read_text()


def test_one_that_stays_gets_every_line_and_is_started_once(tmp_path: Path) -> None:
    out = tmp_path / "out"
    code = f"import sys; out = open({str(out)!r}, 'ab', 0); out.write(b'started\\n')"
    code += "; [out.write(line) for line in sys.stdin.buffer]"

    async def twice(sink: ExecSink) -> None:
        assert [Delivered()] * 2 == await sink.deliver(batch(2))
        assert [Delivered()] * 2 == await sink.deliver(batch(2))

    told(python(code), twice)
    assert b"started\n" + b"".join(line.data + b"\n" for line in batch(2)) * 2 == out.read_bytes()


def test_one_that_should_stay_and_ends_is_told_and_started_anew() -> None:
    code = "import sys; sys.stdin.readline(); print('no more', file=sys.stderr); sys.exit(3)"

    async def until_told(sink: ExecSink) -> Result:
        for _ in range(1000):
            if not isinstance(result := (await sink.deliver(batch(1)))[0], Delivered):
                return result
            await asyncio.sleep(0.01)
        raise AssertionError("it is never told")

    assert TryAgain("the command ended with 3: no more", scope="endpoint") == told(python(code), until_told)


def test_one_that_does_not_read_is_ended_and_tried_again() -> None:
    results = delivered(("sleep", "600"), 200, timeout=0.5)
    assert {TryAgain("no answer within 0.5 s")} == set(results)
