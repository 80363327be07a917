"""A command that runs: its standard input, its last words, and its end, whatever it has left behind.

asyncio's own `wait` comes back only once the pipes are closed too, and a grandchild may hold them open for ever.
"""

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, SubprocessStreamProtocol
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Self

TAIL = 2000  # bytes of standard error that are kept for a message
AFTERWARDS = 0.2  # seconds for the rest of standard error once the command has ended


class RunningCommand:
    """A running command, in a process group of its own. `start` it, and `end` it in any case."""

    def __init__(self, transport: asyncio.SubprocessTransport, protocol: "_Protocol") -> None:
        self._transport, self._protocol = transport, protocol
        self._words = b""
        self._listening = asyncio.ensure_future(self._listen())

    @classmethod
    async def start(cls, command: Sequence[str], env: Mapping[str, str]) -> Self:
        """Starts it, without a shell. Raises OSError."""
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.subprocess_exec(
            lambda: _Protocol(limit=TAIL, loop=loop),
            *command,
            stdin=PIPE,
            stdout=DEVNULL,
            stderr=PIPE,
            env=env,
            start_new_session=True,
        )
        return cls(transport, protocol)

    @property
    def returncode(self) -> int | None:
        """Returns the exit code, negative after a signal; None while the command runs."""
        return self._transport.get_returncode()

    async def write(self, data: bytes) -> None:
        """Writes to its standard input, and returns when the pipe has taken all of it."""
        if stdin := self._protocol.stdin:
            stdin.transport.set_write_buffer_limits(0)
            stdin.write(data)
            await stdin.drain()

    async def feed(self, data: bytes) -> None:
        """Writes to its standard input and closes that. The command need not read all, or anything."""
        with suppress(BrokenPipeError, ConnectionResetError):
            await self.write(data)
        self.close_input()

    def close_input(self) -> None:
        """Closes its standard input, which tells it to end."""
        if self._protocol.stdin:
            self._protocol.stdin.close()

    async def ended(self) -> None:
        """Waits until it has ended, though not for what it has left running."""
        await self._protocol.ended.wait()

    async def end(self) -> bytes:
        """Ends its process group, whatever of it is left; returns the last that was said on standard error."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._transport.get_pid(), signal.SIGKILL)
        await self.ended()
        await asyncio.wait({self._listening}, timeout=AFTERWARDS)
        self._listening.cancel()
        if (stdin := self._protocol.stdin) and stdin.transport.get_write_buffer_size():
            stdin.transport.abort()  # close() would wait until somebody has read what is left
        self._transport.close()
        return self._words

    async def _listen(self) -> None:
        while (stderr := self._protocol.stderr) and (more := await stderr.read(TAIL)):
            self._words = (self._words + more)[-TAIL:]


class _Protocol(SubprocessStreamProtocol):
    def __init__(self, limit: int, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(limit, loop)
        self.ended = asyncio.Event()

    def process_exited(self) -> None:
        super().process_exited()
        self.ended.set()
