"""What the http sink carries: `python -m tests.bench.network`. Under a minute.

The journal and the sink are pinned to one core; the receiver is a process of its own on another. Prints events a
second, what is possible at most, and the processor time of one event.
"""

import gc
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from listener.app.daemon import COLLECT_EVERY, SWITCH_INTERVAL
from listener.base import logs
from tests.bench.machine import CLIENT_CORE, STAND_IN_CORE
from tests.journal.keeping import opened
from tests.network.sending import config, drained, fill, sending

EVENTS, TICKETS, IN_FLIGHT, ANSWER = 10_000, 500, 64, 0.05  # ANSWER: seconds


def main() -> None:
    """One event a request, then a hundred."""
    logs.configure("warning")
    os.sched_setaffinity(0, {CLIENT_CORE})
    sys.setswitchinterval(SWITCH_INTERVAL)  # as the daemon does
    gc.set_threshold(COLLECT_EVERY)
    gc.freeze()
    rate, cpu = measure(in_flight=IN_FLIGHT)
    possible = IN_FLIGHT / ANSWER
    print(
        f"one event a request: {rate:.0f} events/s, {rate / possible:.0%} of {possible:.0f}; {cpu:.2f} ms CPU an event"
    )
    rate, cpu = measure(in_flight=8, max_events=100)
    print(f"100 events a request: {rate:.0f} events/s; {cpu:.2f} ms CPU an event")


def measure(**settings: Any) -> tuple[float, float]:
    """(events a second, milliseconds of this process's CPU an event)."""
    command = [sys.executable, "-m", "tests.bench.receiver", str(ANSWER)]
    with tempfile.TemporaryDirectory(prefix="bench-", dir=Path()) as home, opened(Path(home) / "j.db") as journal:
        fill(journal, EVENTS, TICKETS)
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as receiver:
            os.sched_setaffinity(receiver.pid, {STAND_IN_CORE})
            try:
                assert receiver.stdout
                url = receiver.stdout.readline().strip()
                return run(journal, url, settings)
            finally:
                receiver.kill()


def run(journal: Any, url: str, settings: dict[str, Any]) -> tuple[float, float]:
    began, used = time.monotonic(), time.process_time()
    with sending(journal, config(url, **settings)) as worker:
        drained(worker, 120)
        seconds, cpu = time.monotonic() - began, time.process_time() - used
    return EVENTS / seconds, cpu / EVENTS * 1000


if __name__ == "__main__":
    main()
