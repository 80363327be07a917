"""The link to a database or broker is cut, idle or in the middle of a batch: it heals, each event once."""

import gc
from pathlib import Path
from typing import Any, Literal

import pytest

from listener.settings.secrets import Secret
from listener.simulator import Link, PlatformThread
from tests.engines.configs import held
from tests.engines.ends import ENDS, End, PostgresEnd, RedisEnd
from tests.journal.keeping import opened
from tests.network.sending import drained, fill, sending

CUTS, EVENTS = 5, 50


def through(end: End, link: Link) -> dict[str, Any]:
    """The setting by which each kind of sink reaches its server through the link."""
    here, there = f"127.0.0.1:{link.upstream[1]}", f"127.0.0.1:{link.port}"
    if isinstance(end, PostgresEnd):
        return {"dsn": held(end.server.url("d").replace(here, there))}
    if isinstance(end, RedisEnd):
        return {"url": held(end.server.url().replace(here, there))}
    return {"servers": (Secret(f"nats://{there}"),)}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["postgresql", "nats", "nats-one-by-one", "redis"])
@pytest.mark.parametrize("how", ["reset", "fin"])
@pytest.mark.parametrize("under_way", [False, True], ids=["idle", "under way"])
def test_a_cut_link_heals(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str, how: Literal["reset", "fin"], under_way: bool
) -> None:
    with ENDS[kind]() as end, PlatformThread() as thread, opened(tmp_path / "j.db") as journal:
        link = Link(port=end.server.port)
        thread.call(link.start)
        ids = fill(journal, EVENTS, 5)
        with sending(journal, end.sink(**through(end, link))) as worker:
            drained(worker)
            for number in range(1, CUTS + 1):
                if under_way:
                    thread.call(link.stall)
                    ids += fill(journal, EVENTS, 5, first=EVENTS * number)
                thread.call(link.cut, how)
                thread.call(link.resume)
                if not under_way:
                    ids += fill(journal, EVENTS, 5, first=EVENTS * number)
                drained(worker)
        thread.call(link.close)
        assert sorted(ids) == sorted(end.found())
    gc.collect()
    assert [] == [record.getMessage() for record in caplog.records if record.name == "asyncio"], "tasks left behind"
