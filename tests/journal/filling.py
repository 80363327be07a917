"""A small journal that 100,000 events go through, with a real file sink: `python -m tests.journal.filling`.

Prints for each size of text, one after the other and in bursts with duplicates: refused events, lines in the file and
distinct ones, and the most bytes that database and write-ahead log had.
"""

import asyncio
import json
import sys
import tempfile
import threading
import time
from pathlib import Path

from listener.delivery.workers import Workers
from listener.journal import Journal
from listener.journal.checkpoint import wal_size
from listener.sinks.file import FileConfig
from tests.journal.keeping import keep, opened, payload

MIB = 2**20


class Peak:
    """The largest size that the files had, looked at every 5 ms."""

    def __init__(self, path: Path) -> None:
        self.path, self.database, self.wal, self.both = path, 0, 0, 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(0.005):
            database, wal = self.path.stat().st_size, wal_size(self.path)
            self.database, self.wal = max(self.database, database), max(self.wal, wal)
            self.both = max(self.both, database + wal)

    def end(self) -> None:
        self._stop.set()
        self._thread.join()


def filled(directory: Path, count: int, burst: int, size: int) -> str:
    """One run; what it was, in a line."""
    lines = directory / "tickets.jsonl"
    began = time.monotonic()
    with opened(directory / "j.db", max_size=MIB) as journal:
        workers = Workers(journal, lambda worker: None)
        workers.start([FileConfig(name="archive", path=lines, format="raw")])
        peak = Peak(journal.path)
        refused = sum(code != 200 for first in range(0, count, burst) for code in _push(journal, first, burst, size))
        asyncio.run(workers.drain(60))
        peak.end()
        ids = [json.loads(line)["header"]["event_id"] for line in lines.read_bytes().splitlines()]
    return (
        f"{count:,} events of {size:,} B by {burst:>3}: {refused} refused,"
        f" {len(ids):,} lines, {len(set(ids)):,} distinct; at most {peak.database / MIB:.2f} MiB of database,"
        f" {peak.wal / MIB:.2f} of WAL, {peak.both / MIB:.2f} together;"
        f" {time.monotonic() - began:.0f} s"
    )


def _push(journal: Journal, first: int, burst: int, size: int) -> list[int]:
    """A burst, and for several a duplicate of its first one."""
    numbers = [*range(first, first + burst), *([first] if burst > 1 else [])]
    return keep(journal, *(payload(f"e{n:07d}" + "0" * 24, text="x" * size) for n in numbers))


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    for size in (300, 2000, 20_000):
        for burst in (1, 32):
            with tempfile.TemporaryDirectory() as directory:
                print(filled(Path(directory), count, burst, size), flush=True)
