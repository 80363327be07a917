"""The daemon, and on SIGUSR1 a line on stderr with what it holds: `counted {"tasks": …}`; kibibytes of memory."""

import asyncio
import gc
import json
import os
import re
import signal
import threading
from pathlib import Path

from listener.cli.main import main


def counted() -> dict[str, int]:
    """Runs in the main thread, inside the event loop's run."""
    gc.collect()
    status = Path("/proc/self/status").read_text()
    resident = re.search(r"VmRSS:\s+(\d+) kB", status)
    return {
        "tasks": len(asyncio.all_tasks()),
        "threads": threading.active_count(),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "kib": int(resident[1]) if resident else 0,
    }


def _tell(*_: object) -> None:
    os.write(2, f"counted {json.dumps(counted())}\n".encode())  # one write, which no other thread's line can split


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, _tell)
    main()
