"""`helpdesk-listen` on a disk whose sync costs 5 ms: `python -m tests.bench.slow_sync start …`.

Injected from outside, in Python: the thread that commits a transaction, checkpoints, or calls fsync or fdatasync
sleeps that much longer, without the interpreter's lock, as it would in the system call.
"""

import os
import sqlite3
import time
from collections.abc import Callable
from typing import Any

COST = 0.005  # seconds
_SYNCS = ("COMMIT", "PRAGMA WAL_CHECKPOINT")


class SlowConnection(sqlite3.Connection):
    """A connection whose commits wait for a slow disk."""

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        cursor = super().execute(sql, *parameters)
        if sql.upper().startswith(_SYNCS):
            time.sleep(COST)
        return cursor

    def commit(self) -> None:
        super().commit()
        time.sleep(COST)


def _slow(sync: Callable[[int], None]) -> Callable[[int], None]:
    def call(fd: int) -> None:
        sync(fd)
        time.sleep(COST)

    return call


def main() -> None:
    connect = sqlite3.connect
    sqlite3.connect = lambda *args, **settings: connect(*args, **{"factory": SlowConnection} | settings)
    os.fsync, os.fdatasync = _slow(os.fsync), _slow(os.fdatasync)  # type: ignore[assignment]  # a descriptor will do

    from listener.cli.main import main as listen

    listen()


if __name__ == "__main__":
    main()
