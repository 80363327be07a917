"""Hands events to a command of the user: one that stays and reads a line each, or one that is run for each batch.

Exit codes as in sysexits.h: 0 delivered, 75 try again, 65 rejected; any other is one to try again. There is no shell.
"stay" counts an event as delivered once it is written to the command's standard input: what such a command has not read
when it dies is lost. "batch" runs the command for up to `batch.max_events` lines, and counts them when it has ended
with 0.
"""

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Literal

from listener.settings.rules import Count, Duration, Texts
from listener.sinks.chat_text import clean
from listener.sinks.exec_command import AFTERWARDS, RunningCommand
from listener.sinks.network import Batch, BatchLimits, NetworkConfig
from listener.sinks.results import Delivered, Rejected, Result, TryAgain

EX_DATAERR = 65
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
        self._command: RunningCommand | None = None  # the one that stays

    async def open(self) -> None:
        """Starts nothing: the command waits for the first event."""

    async def deliver(self, batch: Batch) -> Sequence[Result]:
        """Hands over the batch; where it is rejected, the worker halves it to find the event at fault."""
        step = self._hand_over if self._config.mode == "stay" else self._run
        return [await step(batch)] * len(batch)

    def reopen(self) -> None:
        """Does nothing: other settings make another sink."""

    async def close(self) -> None:
        if self._command:
            self._command.close_input()
            await self._drop(GOODBYE)

    async def _run(self, batch: Batch) -> Result:
        try:
            command = await self._start()
        except OSError as e:
            return TryAgain(f"{self._config.command[0]}: {e.strerror}", scope="endpoint")
        feeding = asyncio.ensure_future(command.feed(_lines(batch)))
        try:
            await command.ended()
        finally:  # also where the worker ends a run that takes longer than `timeout`
            feeding.cancel()
            words = await command.end()
        return _judged(command.returncode or 0, words)

    async def _hand_over(self, batch: Batch) -> Result:
        """Writes lines to the command that stays, started if there is none."""
        if self._command and self._command.returncode is not None:
            code, words = await self._drop()
            if code:
                return TryAgain(_reason(code, words), scope="endpoint")
        try:
            self._command = self._command or await self._start()
            await self._command.write(_lines(batch))
        except asyncio.CancelledError:  # it has not read for `timeout`, or the sink stops: it may have half of a line
            await self._drop()
            raise
        except (BrokenPipeError, ConnectionResetError):
            return TryAgain(_reason(*await self._drop()), scope="endpoint")
        except OSError as e:
            return TryAgain(f"{self._config.command[0]}: {e.strerror}", scope="endpoint")
        return Delivered()

    async def _drop(self, patience: float = AFTERWARDS) -> tuple[int, bytes]:
        """Ends the command that stays, which has a moment to end by itself; returns (exit code, last words)."""
        command, self._command = self._command, None
        if command is None:
            return 0, b""
        with suppress(TimeoutError):
            await asyncio.wait_for(command.ended(), patience)
        words = await command.end()
        return command.returncode or 0, words

    async def _start(self) -> RunningCommand:
        return await RunningCommand.start(self._config.command, _environment(self._config.env))


def _lines(batch: Batch) -> bytes:
    return b"".join(line.data + b"\n" for line in batch)


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
