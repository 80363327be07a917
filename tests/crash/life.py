"""One life of the journal, a worker and its file sink, step by step in one thread, that can end at any moment.

What a crash leaves is what is on disk then: the journal's files are copied, the sink's stay where they are (their
inodes are part of the cursor).
"""

import os
import shutil
import sqlite3
import stat
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from listener.delivery.formatting import Formatter
from listener.delivery.worker import Worker
from listener.journal import Cursor, Journal, Pending, redelivery
from listener.journal.database import transaction
from listener.journal.identity import fingerprint
from listener.journal.reading import reading
from listener.sinks.file import FileConfig, FileSink
from listener.sinks.rotation import Rotate
from tests.journal.keeping import pending

KEEP_S = 3600.0
RAM = Path("/dev/shm")  # a disk that syncs in no time, where there is one
STEPS = ("write", "fdatasync", "fsync", "ftruncate", "rename", "open")


class Crash(BaseException):
    """kill -9."""


class Bomb:
    """Goes off at the n-th thing that changes the disk, before or after it, or in the middle of a write."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.refuses = False  # whether every COMMIT fails, as on a disk with errors
        self.synced: dict[int, int] = {}  # inode → bytes that a power loss leaves
        self.renamed: list[tuple[Any, Any]] = []  # (from, to) that no sync of the directory has followed

    def tick(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Crash

    @contextmanager
    def transaction(self, connection: sqlite3.Connection) -> Iterator[None]:
        self.tick()
        with transaction(connection):
            yield
            self.tick()
            if self.refuses:
                raise sqlite3.OperationalError("disk I/O error")
        self.tick()

    def fused(self, name: str) -> Callable[..., Any]:
        real = getattr(os, name)

        def call(*arguments: Any, **settings: Any) -> Any:
            self.tick()
            if name == "write" and self.left == 0:
                real(arguments[0], arguments[1][: len(arguments[1]) // 2])
            self.tick()
            answer = real(*arguments, **settings)
            if name in ("fdatasync", "fsync"):
                state = os.fstat(arguments[0])
                self.synced[state.st_ino] = state.st_size
                if stat.S_ISDIR(state.st_mode):
                    self.renamed.clear()
            elif name == "rename":
                self.renamed.append(arguments)
            return answer

        return call


class Life:
    """From opening to the crash. `life` counts them in the same home."""

    def __init__(
        self, home: Path, life: int, bomb: Bomb, rotate: Rotate | None = None, max_size: int = 1 << 30
    ) -> None:
        self.home, self.number, self.bomb = home, life, bomb
        self.seqs: dict[str, int] = {}  # of all that it ever held
        self.config = FileConfig(name="archive", path=home / "logs" / "out.jsonl", start="earliest", rotate=rotate)
        self.journal = Journal(self._state / "j.db", keep_s=KEEP_S, max_size=max_size, inspect_after=KEEP_S)
        self._submit = self.journal.writer.submit
        self.journal.writer.submit = self._submit_and_turn  # type: ignore[method-assign]
        cursor = self.journal.attach([("archive", True)])["archive"]
        self.worker = self._new_worker(cursor)

    def reload(self) -> None:
        """Another worker takes the sink over, from where the one before knows that it stands."""
        self.worker.sink.close()
        self.worker = self._new_worker(self.worker.cursor)
        self.worker.open()

    def _new_worker(self, cursor: Cursor) -> Worker:
        return Worker(
            self.config,
            FileSink(self.config, threading.Event()),
            self.journal,
            cursor,
            formatter=Formatter(share=False),
            abandon=threading.Event(),
        )

    def receive(self, payloads: list[bytes | Pending]) -> list[tuple[int, bool]]:
        """(code, duplicate) of each."""
        batch = [pending(one) for one in payloads]
        for one in batch:
            self.journal.append(one)
        while self.journal.writer.backlog():  # a small journal takes few bytes a commit
            self._turn()
        return [(one.code, one.duplicate) for one in batch]

    def order_replay(self) -> Counter[str]:
        """Of everything that the sink has; how often which event will come once more."""
        self.worker.keep()
        self.journal.flush()
        with reading(self.journal.path) as connection:
            order, count = redelivery.replay(connection, "archive", 0, redelivery.ALWAYS)
            events = redelivery.selected(connection, order, order.done_seq, 1000)[0]
        if count:
            self.journal.do(lambda connection: redelivery.place(connection, order))
        return Counter(event.event_id for event in events)

    def prune(self) -> None:
        self.journal.retention.look_soon()
        self.journal.writer.turn()

    def drain(self) -> None:
        """Until the sink has everything and every order is done."""
        while self.worker.cursor.seq < self.journal.last_seq or self.journal.next_redelivery("archive"):
            self.worker.turn()

    def end(self) -> None:
        """As a stop does it."""
        self.worker.keep()
        self.worker.sink.close()
        self.journal.writer.turn()
        self._close()

    def crash(self, torn_commit: float | None = None, power_loss: float | None = None) -> None:
        """Leaves what is on disk to the next life; of what was not synced only a part, where asked (0 to 1)."""
        following = self.home / f"state-{self.number + 1}"
        shutil.copytree(self._state, following, ignore=shutil.ignore_patterns("*-shm", "*.lock"))
        wal = following / "j.db-wal"
        if torn_commit is not None and wal.exists() and wal.stat().st_size > self._wal_before > 0:
            os.truncate(wal, self._wal_before + int((wal.stat().st_size - self._wal_before) * torn_commit))
        if power_loss is not None:
            self._lose_power(power_loss)
        self.worker.sink.close()
        self._close()
        shutil.rmtree(self._state)

    def about_to(self) -> None:
        """Before a step that may crash: what is in the WAL by now was synced."""
        wal = self._state / "j.db-wal"
        self._wal_before = wal.stat().st_size if wal.exists() else 0

    @property
    def _state(self) -> Path:
        return self.home / f"state-{self.number}"

    def _submit_and_turn(self, job: Any) -> "Future[Any]":
        future = self._submit(job)
        self._turn()
        return future

    def _turn(self) -> None:
        """What the commit before has put into the log is synced, so no crash takes it."""
        self.about_to()
        self.journal.writer.turn()
        self.about_to()
        self.seqs |= journalled(self.home)

    def _close(self) -> None:
        self.journal.writer._connection.close()
        self.journal._release()

    def _lose_power(self, part: float) -> None:
        """Of what was not synced the beginning is on disk, and zeros for the rest; new names may be the old ones."""
        for old, new in reversed(self.bomb.renamed):
            if part == 0 and Path(new).exists():
                os.replace(new, old)
        self.bomb.renamed.clear()
        for file in (self.home / "logs").iterdir():
            state = file.stat()
            synced = min(self.bomb.synced.get(state.st_ino, 0), state.st_size)
            here = synced + int((state.st_size - synced) * part)
            os.truncate(file, here)
            os.truncate(file, state.st_size)


def patched(bomb: Bomb) -> pytest.MonkeyPatch:
    """Nothing waits, and everything that changes the disk goes past the bomb."""
    patch = pytest.MonkeyPatch()
    for module in ("writer", "retention"):
        patch.setattr(f"listener.journal.{module}.transaction", bomb.transaction)
    for name in STEPS:
        patch.setattr(os, name, bomb.fused(name))
    for name in (
        "journal.writer.IDLE",
        "journal.writer.CURSOR_DELAY",
        "journal.retention.WAIT",
        "delivery.worker.IDLE",
        "delivery.worker.QUIET",
    ):
        patch.setattr(f"listener.{name}", 0.0)
    patch.setattr("listener.delivery.worker.BATCH", 2)
    patch.setattr("listener.sinks.file.FileSink.idle_every", 0.0)
    return patch


@contextmanager
def quick_disk() -> Iterator[Path]:
    """A directory for one test; a disk that really syncs proves no more here."""
    with tempfile.TemporaryDirectory(dir=RAM if RAM.is_dir() else None) as home:
        yield Path(home)


def all_lines(home: Path) -> list[bytes]:
    """Of every file of the sink, the oldest first; a last line that is torn counts, too."""
    logs = home / "logs"
    files = sorted(file for file in logs.iterdir() if not file.name.endswith(".torn"))
    files.sort(key=lambda file: file.name == "out.jsonl")  # the newest
    return [line for file in files for line in file.read_bytes().split(b"\n") if line]


def journalled(home: Path) -> dict[str, int]:
    """event_id → seq of the events that the newest life's journal holds."""
    newest = max(home.glob("state-*"), key=lambda path: int(path.name.split("-")[1]))
    with closing(sqlite3.connect(newest / "j.db")) as connection:
        return dict(connection.execute("SELECT event_id, seq FROM events").fetchall())


def known(home: Path, event_ids: Iterable[str]) -> set[str]:
    """Those of these ids that the newest life's journal knows, whether it still holds their events or not."""
    newest = max(home.glob("state-*"), key=lambda path: int(path.name.split("-")[1]))
    with closing(sqlite3.connect(newest / "j.db")) as connection:
        prints = {one for (one,) in connection.execute("SELECT fingerprint FROM ids")}
    return {one for one in event_ids if fingerprint(one) in prints}
