"""The sink's disk is full: acks go on, other sinks too, and with room again it gets everything, once, in order."""

import json
from pathlib import Path

from listener.sinks.base import Retry
from listener.sinks.file import FileConfig
from tests.delivery.working import Scripted, config, drained, working
from tests.journal.keeping import keep_ids, opened, until
from tests.sinks.lines import sink_of
from tests.small_disk import small_disk

NUMBERS = [f"e{n}" for n in range(600)]


def test_a_sinks_full_disk_is_nobody_elses_problem(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk, opened(tmp_path / "j.db") as journal:
        path = disk.path / "out.jsonl"
        archive = FileConfig(name="archive", path=path, retry=Retry(max_delay=0.05, give_up_after=None))
        other = Scripted()
        journal.attach([("archive", True), ("other", True)])
        with working(journal, sink_of(archive), archive) as one, working(journal, other, config("other")) as two:
            assert [200] * 100 == keep_ids(journal, *NUMBERS[:100])
            until(lambda: one.state.delivered == 100, "it has these")
            disk.fill()
            assert [200] * 500 == keep_ids(journal, *NUMBERS[100:])
            until(lambda: other.ids == NUMBERS, "the other has all")
            until(lambda: "No space left" in str(one.state.last_error), "it says why")
            assert None is not one.state.failing_since

            disk.empty()
            until(lambda: one.state.delivered == 600, "it has all")
            assert None is one.state.failing_since
            assert 0 == one.state.dead_letters
            drained(one)
            drained(two)
        assert NUMBERS == [json.loads(line)["event_id"] for line in path.read_bytes().splitlines()]
