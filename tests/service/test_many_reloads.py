"""Sinks that come and go with a thousand reloads, on a disk whose syncs take long: nothing missing, nothing twice."""

import asyncio
import json
import os
import random
import time
from pathlib import Path
from typing import Any

import pytest

from listener.delivery.worker import Worker
from listener.delivery.workers import Workers
from listener.journal import Journal
from listener.sinks.base import SinkConfig
from listener.sinks.file import FileConfig
from tests.journal.keeping import keep_ids, opened

SYNC = 0.1  # seconds


def _config(home: Path, name: str, form: str) -> SinkConfig:
    return FileConfig(name=name, path=home / f"{name}.jsonl", start="earliest", format=form)  # type: ignore[arg-type]


def _ids(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [record.get("event_id") or record["header"]["event_id"] for record in map(json.loads, lines)]


async def _reload(journal: Journal, home: Path, times: int) -> int:
    loop, draw = asyncio.get_running_loop(), random.Random(1)

    def on_end(worker: Worker) -> None:
        loop.call_soon_threadsafe(running.left, worker)

    running, count = Workers(journal, on_end), 0
    names = ["a", "b", "c"]
    running.start([_config(home, name, "record") for name in names])
    for _ in range(times):
        await asyncio.to_thread(keep_ids, journal, f"e{count}")
        count += 1
        here = [name for name in names if draw.random() < 0.7]
        await running.change([_config(home, name, draw.choice(["record", "raw"])) for name in here])
        if draw.random() < 0.1:
            await asyncio.sleep(2 * SYNC)
    await running.change([_config(home, name, "record") for name in names])
    async with asyncio.timeout(60):
        while any(len(_ids(home / f"{name}.jsonl")) < count for name in names):  # noqa: ASYNC110 threads write them
            await asyncio.sleep(SYNC)
    assert [] == await running.drain(10)
    return count


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_thousand_reloads_lose_and_repeat_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fdatasync

    def slow(fd: int) -> None:
        time.sleep(SYNC)
        real(fd)

    monkeypatch.setattr(os, "fdatasync", slow)
    settings: dict[str, Any] = {"keep_s": 3600.0}
    with opened(tmp_path / "j.db", **settings) as journal:
        count = asyncio.run(_reload(journal, tmp_path, 1000))
        wanted = [f"e{number}" for number in range(count)]
        for name in "abc":
            assert wanted == _ids(tmp_path / f"{name}.jsonl"), name
    assert [] == [path.name for path in tmp_path.glob("*.torn")]
