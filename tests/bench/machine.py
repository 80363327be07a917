"""The machine under the benchmark: cores, processes and what they cost, the disk's own sync."""

import asyncio
import os
import statistics
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

TICK = os.sysconf("SC_CLK_TCK")
CORES = sorted(os.sched_getaffinity(0))
CLIENT_CORE, STAND_IN_CORE = CORES[0], CORES[-1]
SYNC_BYTES = 4 * 4096  # about what the commit of one event appends to the journal's log


@dataclass
class Process:
    """A client on its own core. Killed on leaving, whatever happened."""

    command: Sequence[str]
    home: Path
    environment: dict[str, str]

    def __enter__(self) -> Self:
        self._output, self._errors = (self.home / name for name in ("output.txt", "errors.txt"))
        with self._output.open("wb") as output, self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                self.command,
                cwd=self.home,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
            )
        os.sched_setaffinity(self._process.pid, {CLIENT_CORE})
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    @property
    def cpu(self) -> float:
        """Seconds that it has used, in user mode and in the kernel's."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    @property
    def wake_ups(self) -> int:
        """How often one of its threads gave up the processor to wait."""
        threads = Path(f"/proc/{self._process.pid}/task").glob("*/status")
        lines = [line for thread in threads for line in thread.read_text().splitlines()]
        return sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))

    @property
    def peak(self) -> float:
        """MiB: the most that was ever resident."""
        return self._status("VmHWM")

    @property
    def resident(self) -> float:
        """MiB."""
        return self._status("VmRSS")

    def last_words(self) -> str:
        """The end of what it said on stderr."""
        return self._errors.read_text(errors="replace")[-2000:]

    def _status(self, name: str) -> float:
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))


async def timed(command: Sequence[str], environment: dict[str, str], within: float) -> float:
    """Seconds that a command takes on the client's core."""
    started = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.sched_setaffinity(process.pid, {CLIENT_CORE})
    async with asyncio.timeout(within):
        code = await process.wait()
    assert 0 == code, f"{command} ended with {code}"
    return time.monotonic() - started


def sync_times(directory: Path, times: int) -> list[float]:
    """Seconds of each bare fdatasync after so many bytes were appended: the disk alone."""
    path, took = directory / "sync.bin", []
    fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    try:
        for _ in range(times):
            os.write(fd, bytes(SYNC_BYTES))
            started = time.perf_counter()
            os.fdatasync(fd)
            took.append(time.perf_counter() - started)
    finally:
        os.close(fd)
        path.unlink()
    return took


def percentile(values: Sequence[float], percent: float) -> float:
    """Nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def median(values: Sequence[float]) -> float:
    return statistics.median(values)
