"""Pruning and checkpoints never hold up an ack: measured under load, without the syncs' own time."""

import time
from pathlib import Path

import pytest

from listener.journal import Cursor
from listener.journal.checkpoint import wal_size
from listener.simulator.flood import default_payload
from tests.journal.keeping import opened, pending, rows

COUNT, WINDOW = 60_000, 256


@pytest.mark.slow
def test_no_ack_waits_200_ms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("listener.journal.database.SYNCHRONOUS", "OFF")
    monkeypatch.setattr("listener.journal.retention.EVERY", 0.0)
    waited: list[float] = []
    largest = 0
    with opened(tmp_path / "j.db", keep_s=0) as journal:
        journal.attach([("archive", True)])
        journal.writer.on_settled = lambda batch: waited.extend(time.monotonic() - one.since for one in batch)
        for number in range(COUNT):
            journal.append(pending(default_payload(number)))
            while number - len(waited) > WINDOW:
                time.sleep(0.0005)
            if number % 1000 == 0:
                journal.advance("archive", Cursor(journal.last_seq))
                largest = max(largest, wal_size(journal.path))
        journal.flush()
        ((left,),) = rows(journal.path, "SELECT count(*) FROM bodies")

    assert COUNT == len(waited)
    assert left < 0.9 * COUNT, "hardly anything was pruned"
    assert largest > 4 * 2**20, "nothing was there to be checkpointed"
    assert largest < 80 * 2**20, "the WAL grew without an end"
    assert max(waited) < 0.2
