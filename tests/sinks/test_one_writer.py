"""A file has one daemon, a link keeps leading to it, and rotated files keep their order whatever the clock does."""

import os
import threading
import time
from pathlib import Path

import pytest

from listener.sinks.base import LinesWritten
from listener.sinks.file import FileConfig, FileSink
from listener.sinks.rotation import Rotate
from tests.sinks.lines import lines


def _sink(path: Path, rotate: Rotate | None = None) -> FileSink:
    config = FileConfig(name="archive", path=path, rotate=rotate)
    sink = FileSink(config, threading.Event())
    sink.open("", iter(()))
    return sink


def _give(sink: FileSink, first: int) -> None:
    """As often as it takes nothing yet, since a sync is due or a new file begun."""
    batch = lines(first, first)
    for _ in range(3):
        outcome = sink.deliver(batch)
        assert isinstance(outcome, LinesWritten)
        if outcome.count:
            return
        assert outcome.keep_now
        assert not outcome.sync or "" == outcome.sync()
    raise AssertionError("it takes nothing")


def test_a_second_daemon_is_told(tmp_path: Path) -> None:
    first = _sink(tmp_path / "out.jsonl")
    with pytest.raises(OSError, match=f"process {os.getpid()} writes this file"):
        _sink(tmp_path / "out.jsonl")
    first.close()
    _sink(tmp_path / "out.jsonl").close()


def test_a_second_daemon_moves_nothing_out_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    earlier = _sink(path)
    outcome = earlier.deliver(lines(1, 2))
    earlier.close()
    first = _sink(path)
    _give(first, 3)
    with path.open("ab") as file:
        file.write(b'{"half":')  # the first daemon in the middle of a write
    before = path.read_bytes()
    second = FileSink(FileConfig(name="archive", path=path), threading.Event())
    assert isinstance(outcome, LinesWritten)
    with pytest.raises(OSError, match="writes this file"):
        second.open(outcome.position, iter(()))
    assert before == path.read_bytes()
    assert not Path(f"{path}.torn").exists()
    first.close()


def test_a_link_stays_and_what_it_leads_to_is_rotated(tmp_path: Path) -> None:
    elsewhere = tmp_path / "disk2"
    elsewhere.mkdir()
    link = tmp_path / "out.jsonl"
    link.symlink_to(elsewhere / "real.jsonl")
    sink = _sink(link, Rotate(size=1024))
    for number in range(1, 40):
        _give(sink, number)
    sink.close()
    assert link.is_symlink()
    names = sorted(path.name for path in elsewhere.iterdir())
    assert "real.jsonl" in names
    assert len(names) > 1
    assert all(name.startswith("real.jsonl") for name in names)


@pytest.mark.parametrize("rotate", [None, Rotate(size=1024)])
def test_a_link_that_leads_elsewhere_is_followed_at_the_next_reload(tmp_path: Path, rotate: Rotate | None) -> None:
    link = tmp_path / "out.jsonl"
    for disk in ("disk2", "disk3"):
        (tmp_path / disk).mkdir()
    link.symlink_to(tmp_path / "disk2" / "real.jsonl")
    sink = _sink(link, rotate)
    _give(sink, 1)
    link.unlink()
    link.symlink_to(tmp_path / "disk3" / "real.jsonl")
    _give(sink, 2)
    sink.reopen()
    _give(sink, 3)
    sink.close()
    assert 2 == len((tmp_path / "disk2" / "real.jsonl").read_bytes().splitlines())
    assert 1 == len((tmp_path / "disk3" / "real.jsonl").read_bytes().splitlines())


def test_names_grow_although_the_clock_was_ahead(tmp_path: Path) -> None:
    ahead = tmp_path / "out.jsonl.20990101T000000.000000Z"
    ahead.write_text('{"old":1}\n')
    sink = _sink(tmp_path / "out.jsonl", Rotate(size=1024, keep=2))
    for number in range(1, 400):
        _give(sink, number)
    sink.idle()
    deadline = time.monotonic() + 10
    while ahead.exists():
        assert time.monotonic() < deadline, "the oldest is still there"
        sink.idle()
        threading.Event().wait(0.01)
    sink.close()
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept[0] == "out.jsonl"
    assert all(name > ahead.name for name in kept[1:])
