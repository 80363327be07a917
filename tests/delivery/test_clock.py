"""Wall clocks that jump while events are delivered: nothing is lost or repeated, and nothing spins."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from listener.sinks.file import FileConfig
from listener.sinks.rotation import Rotate
from tests.delivery.working import DAY, HOUR, Scripted, config, drained, jumping, working
from tests.journal.keeping import keep_ids, opened, until
from tests.sinks.lines import sink_of


class Often(Scripted):
    """It wants to be called as often as standard output does."""

    idle_every = 0.25


def caught_up(sink: Scripted, expected: list[str]) -> Callable[[], bool]:
    return lambda: len(sink.got) == len(expected)


def test_nothing_is_lost_repeated_or_out_of_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jump = jumping(monkeypatch)
    archive = FileConfig(name="archive", path=tmp_path / "out.jsonl", rotate=Rotate(every=HOUR))
    other, expected = Scripted(), list[str]()
    with opened(tmp_path / "j.db") as journal:
        journal.attach([("archive", True), ("other", True)])
        with working(journal, sink_of(archive), archive) as one, working(journal, other, config("other")) as two:
            for number, seconds in enumerate((0, -HOUR, DAY, -HOUR, -DAY, 2 * HOUR)):
                jump(seconds)
                expected += [f"e{number}", f"f{number}"]
                assert [200] * len(expected) == keep_ids(journal, *expected)
                until(caught_up(other, expected), "it has them")
            drained(one)
            drained(two)
    assert expected == other.ids
    assert len(expected) == sum(file.read_bytes().count(b"\n") for file in tmp_path.glob("out.jsonl*"))


def test_an_idle_worker_looks_a_few_times_a_second_whatever_the_clock_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jump = jumping(monkeypatch)
    sink = Often()
    with opened(tmp_path / "j.db") as journal, working(journal, sink):
        until(lambda: sink.idles > 0, "it is idle")
        before, began = sink.idles, time.monotonic()
        for seconds in (-HOUR, DAY):
            jump(seconds)
            seen = sink.idles
            until(lambda seen=seen: sink.idles > seen + 1, "it looks")  # type: ignore[misc]
        assert sink.idles - before < 10 * (time.monotonic() - began) + 2
