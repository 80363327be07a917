"""Pruning and checkpoints under load keep the WAL within bounds. How long they hold up an ack: `tests.bench.large`."""

import time
from pathlib import Path

import pytest

from listener.journal import Cursor, Pending
from listener.journal.checkpoint import CAP, wal_size
from listener.simulator.flood import default_payload
from tests.journal.keeping import opened, pending, rows

COUNT, WINDOW = 60_000, 256


@pytest.mark.slow
def test_the_wal_keeps_within_bounds_while_much_is_pruned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("listener.journal.database.SYNCHRONOUS", "OFF")
    monkeypatch.setattr("listener.journal.retention.EVERY", 0.0)
    settled = largest = 0

    def on_settled(batch: list[Pending]) -> None:
        nonlocal settled
        settled += len(batch)

    with opened(tmp_path / "j.db", keep_s=0) as journal:
        journal.attach([("archive", True)])
        journal.writer.on_settled = on_settled
        for number in range(COUNT):
            journal.append(pending(default_payload(number)))
            while number - settled > WINDOW:
                time.sleep(0.0005)
            if number % 1000 == 0:
                journal.advance("archive", Cursor(journal.last_seq))
                largest = max(largest, wal_size(journal.path))
        journal.flush()
        ((left,),) = rows(journal.path, "SELECT count(*) FROM bodies")

    assert COUNT == settled
    assert left < 0.9 * COUNT, "hardly anything was pruned"
    assert largest > 4 * 2**20, "nothing was there to be checkpointed"
    assert largest <= CAP * 3 // 2, "the WAL grew without an end"  # the writer looks whenever it wrote half of the cap
