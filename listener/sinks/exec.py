"""Hands events to a command of the user: one that stays and reads a line each, or one that is run for each batch.

Exit codes as in sysexits.h: 0 delivered, 75 try again, 65 rejected; any other is one to try again. There is no shell.
"stay" counts an event as delivered once it is written to the command's standard input: what such a command has not read
when it dies is lost. "batch" runs the command for up to `batch.max_events` lines, and counts them when it has ended
with 0.
"""

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Literal

from listener.settings.rules import Count, Duration, Texts
from listener.sinks.chat_text import clean
from listener.sinks.network import Batch, BatchLimits, NetworkConfig
from listener.sinks.results import Delivered, Rejected, Result, TryAgain

EX_DATAERR = 65
TAIL = 2000  # bytes of standard error that are kept for a message
AFTERWARDS = 0.2  # seconds for the rest of standard error once the command has ended
GOODBYE = 1.0  # seconds for a command that stays to end by itself


class ExecConfig(NetworkConfig, frozen=True, kw_only=True):
    """The settings. `env`: "NAME" for a variable as it is here, "NAME=value" for one as given; PATH is always there."""

    type: Literal["exec"] = "exec"
    command: Annotated[tuple[str, ...], Texts(r"(?s).{1,4000}", 'a command and its arguments, such as ["./notify"]')]
    mode: Literal["stay", "batch"] = "stay"
    batch: BatchLimits = BatchLimits(max_events=100, linger=0.0)
    in_flight: Annotated[int, Count(1, 1024)] = 1
    env: Annotated[tuple[str, ...], Texts(r"[A-Za-z_][A-Za-z0-9_]*(=.*)?", 'variables: "NAME" or "NAME=value"')] = ()
    timeout: Annotated[float, Duration("100ms", "1h")] = 30.0

    def __post_init__(self) -> None:
        if self.mode == "stay" and self.in_flight > 1:
            raise ValueError('mode = "stay" has one command, which reads batch after batch: leave in_flight out')
        if self.proxy or self.ca_file:
            raise ValueError("proxy and ca_file say nothing to a command: give it what it needs by env")


class ExecSink:
    def __init__(self, config: ExecConfig) -> None:
        self._config = config
        self._process: Process | None = None  # the one that stays
        self._tail: asyncio.Task[bytes] | None = None  # of its standard error

    async def open(self) -> None:
        """Starts nothing: the command waits for the first event."""

    async def deliver(self, batch: Batch) -> Sequence[Result]:
        """Hands over the batch; where it is rejected, the worker halves it to find the event at fault."""
        step = self._hand_over if self._config.mode == "stay" else self._run
        return [await step(batch)] * len(batch)

    def reopen(self) -> None:
        """Does nothing: other settings make another sink."""

    async def close(self) -> None:
        process, self._process = self._process, None
        if process and process.stdin:
            process.stdin.close()
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), GOODBYE)
            await _end(process)

    async def _run(self, batch: Batch) -> Result:
        try:
            process = await self._start()
        except OSError as e:
            return TryAgain(f"{self._config.command[0]}: {e.strerror}", scope="endpoint")
        tail = asyncio.ensure_future(_last_words(process))
        try:
            await self._talk(process, batch)
        finally:  # also where the worker ends a run that takes longer than `timeout`
            await _end(process)
        return _judged(process.returncode or 0, await _within(tail))

    async def _talk(self, process: Process, batch: Batch) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # it need not read all, or anything
            await _write(process, batch)
        if process.stdin:
            process.stdin.close()
        await process.wait()

    async def _hand_over(self, batch: Batch) -> Result:
        """Writes lines to the command that stays, started if there is none."""
        if self._process and self._process.returncode is not None:
            ended, self._process = self._process, None
            if ended.returncode:
                return await self._told(ended)
        try:
            self._process = self._process or await self._start_to_stay()
            await _write(self._process, batch)
        except asyncio.CancelledError:  # it has not read for `timeout`, or the sink stops: it may have half of a line
            await self._drop()
            raise
        except (BrokenPipeError, ConnectionResetError):
            return await self._told(await self._drop())
        except OSError as e:
            return TryAgain(f"{self._config.command[0]}: {e.strerror}", scope="endpoint")
        return Delivered()

    async def _start_to_stay(self) -> Process:
        process = await self._start()
        self._tail = asyncio.ensure_future(_last_words(process))
        return process

    async def _drop(self) -> Process | None:
        process, self._process = self._process, None
        if process:
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), AFTERWARDS)
            await _end(process)
        return process

    async def _told(self, ended: Process | None) -> Result:
        """Returns why the command that should stay did not."""
        words = await _within(self._tail) if self._tail else b""
        code = ended.returncode if ended and ended.returncode is not None else 0
        return TryAgain(_reason(code, words), scope="endpoint")

    async def _start(self) -> Process:
        return await asyncio.create_subprocess_exec(
            *self._config.command,
            stdin=PIPE,
            stdout=DEVNULL,
            stderr=PIPE,
            env=_environment(self._config.env),
            start_new_session=True,
        )


async def _write(process: Process, batch: Batch) -> None:
    """Writes, and returns when the pipe has taken all of it."""
    if process.stdin:
        process.stdin.transport.set_write_buffer_limits(0)
        process.stdin.write(b"".join(line.data + b"\n" for line in batch))
        await process.stdin.drain()


async def _end(process: Process) -> None:
    """Ends the command's process group, whatever of it is left."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


async def _last_words(process: Process) -> bytes:
    words = b""
    while process.stderr and (more := await process.stderr.read(TAIL)):
        words = (words + more)[-TAIL:]
    return words


async def _within(tail: "asyncio.Task[bytes]") -> bytes:
    """Returns what was said within a moment: a grandchild may keep standard error open."""
    with suppress(TimeoutError):
        return await asyncio.wait_for(tail, AFTERWARDS)
    return b""


def _judged(code: int, words: bytes) -> Result:
    """Returns a run's results. One that fails may do so because of its events, which the worker finds out."""
    if code == 0:
        return Delivered()
    reason = _reason(code, words)
    return Rejected(reason) if code == EX_DATAERR else TryAgain(reason)


def _reason(code: int, words: bytes) -> str:
    lines = clean(words.decode("utf-8", "replace")).split("\n")
    how = f"the command ended with {code}" if code >= 0 else f"the command was ended by signal {-code}"
    return f"{how}: {lines[-1][:200]}" if lines[-1] else how


def _environment(names: Sequence[str]) -> dict[str, str]:
    pairs = [name.partition("=") for name in names]
    given = {name: value if equals else os.environ.get(name) for name, equals, value in pairs}
    path = {"PATH": os.environ.get("PATH", os.defpath)}
    return path | {name: value for name, value in given.items() if value is not None}
