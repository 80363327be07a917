"""Synced before acked, and the file before its cursor: as the kernel saw it."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from listener.simulator import PlatformThread
from listener.simulator.flood import default_payload
from tests.crash.tracing import STRACE, Call, calls, careless, hexed, traced
from tests.daemon import PROGRAM, Daemon

COUNT = 10
CONFIG = '[[sinks]]\nname = "archive"\ntype = "file"\npath = "out.jsonl"\n'
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(STRACE is None, reason="strace is not installed (apt-get install strace)"),
]


def events_under_strace(tmp_path: Path, *, with_sync: bool = True) -> list[Call]:
    """The system calls of a daemon that gets COUNT events, one after the other."""
    trace = tmp_path / "trace"
    program = (*traced(trace), *(PROGRAM if with_sync else careless()))
    with (
        PlatformThread() as stand_in,
        Daemon(tmp_path, domain=stand_in.url, config=CONFIG, program=program) as daemon,
        ended(tmp_path),
    ):
        daemon.ready(within=30)
        for index in range(COUNT):
            delivery = stand_in.call(stand_in.platform.push, default_payload(index))
            stand_in.call(delivery.acked)
        file = tmp_path / "logs" / "out.jsonl"
        daemon.until(lambda: file.read_bytes().count(b"\n") == COUNT, "all are in the file")
        stop_traced(tmp_path)
        assert 0 == daemon.wait(within=20)
    return list(calls(trace))


def stop_traced(home: Path, number: int = signal.SIGTERM) -> None:
    """strace itself takes no signals."""
    os.kill(int((home / "state" / "helpdesk.db.lock").read_text(encoding="ascii")), number)


@contextmanager
def ended(home: Path) -> Iterator[None]:
    """A test that fails must not leave the daemon behind."""
    try:
        yield
    except BaseException:
        with suppress(OSError, ValueError):
            stop_traced(home, signal.SIGKILL)
        raise


def index_of(seen: list[Call], what: str, start: int, holds: Callable[[Call], bool]) -> int:
    for index in range(start, len(seen)):
        if holds(seen[index]):
            return index
    raise AssertionError(f"no {what} after call {start}")


def acks_and_syncs(seen: list[Call]) -> list[bool]:
    """For each event, whether a sync of the WAL ended between its arrival and its ack."""
    found, at = [], 0
    for index in range(COUNT):
        at = index_of(seen, "arrival", at, partial(is_arrival, hexed(b"%032x" % index)))
        ack = index_of(seen, "ack", at, is_ack)
        between = seen[at:ack]
        found.append(
            any(c.name in ("fdatasync", "fsync") and c.file.endswith("-wal") and not c.result for c in between)
        )
        at = ack
    return found


def is_arrival(ident: str, call: Call) -> bool:
    return call.name in ("recvfrom", "recvmsg", "read") and ident in call.data


def is_ack(call: Call) -> bool:
    """It echoes the whole frame, which makes it far longer than a ping, or the byte that wakes the loop up."""
    return (
        call.name in ("sendto", "sendmsg", "write") and call.file.startswith(("socket:", "TCP:")) and call.result > 150
    )


def test_synced_before_acked(tmp_path: Path) -> None:
    assert [True] * COUNT == acks_and_syncs(events_under_strace(tmp_path))


def test_the_test_above_notices_a_journal_that_does_not_sync(tmp_path: Path) -> None:
    assert [False] * COUNT == acks_and_syncs(events_under_strace(tmp_path, with_sync=False))


def test_the_file_is_synced_before_its_cursor_says_so(tmp_path: Path) -> None:
    """A cursor names the offset that it stands for; nothing with that offset is written before the file's sync."""
    seen = events_under_strace(tmp_path)
    file = tmp_path / "logs" / "out.jsonl"
    offset, checked = 0, 0
    for index, call in enumerate(seen):
        if call.name == "write" and call.file == str(file):
            offset += call.result
            mark = hexed(b'"offset":%d,' % offset)
            synced = index_of(seen, "sync of the file", index, lambda c: c.name == "fdatasync" and c.file == str(file))
            early = [c for c in seen[:synced] if c.name == "pwrite64" and mark in c.data]
            assert [] == early
            checked += any(c.name == "pwrite64" and mark in c.data for c in seen[synced:])
    assert file.stat().st_size == offset
    assert checked > 0
