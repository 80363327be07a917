"""A file sink that rotates by itself."""

import gzip
import os
import time
from pathlib import Path

import pytest

from listener.sinks.file import FileConfig
from listener.sinks.rotation import Rotate
from tests.journal.keeping import until
from tests.sinks.lines import Delivery, data, line, lines, sink_of

DAY = 86_400.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "[all] tickets.jsonl"  # a name that a glob pattern would misread


def opened(path: Path, position: str = "", **rotate: object) -> Delivery:
    config = FileConfig(name="archive", path=path, rotate=Rotate(**rotate))  # type: ignore[arg-type]
    return Delivery(sink_of(config), position)


def rotated(path: Path) -> list[Path]:
    return sorted(other for other in path.parent.iterdir() if other != path)


def content(path: Path) -> bytes:
    """Of all files together, in order."""
    return b"".join(
        gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        for file in (*rotated(path), path)
    )


def test_by_size_at_a_whole_line(path: Path) -> None:
    delivery = opened(path, size=1024)
    for n in range(1, 101):
        delivery.give(lines(n, n))
    assert data(*lines(1, 100)) == content(path)
    assert len(rotated(path)) > 2
    assert all(1024 <= file.stat().st_size < 1024 + 100 for file in rotated(path))


def test_a_place_in_the_new_file_is_kept_before_its_first_line(path: Path) -> None:
    delivery = opened(path, size=1024)
    delivery.give(lines(1, 40))
    before = delivery.kept.position
    delivery.sync()
    delivery.once(lines(41, 41))
    assert [data(*lines(1, 40))] == [file.read_bytes() for file in rotated(path)]
    assert b"" == path.read_bytes()
    delivery.sink.close()  # as the end of its process does
    again = opened(path, before, size=1024)  # a crash before the new place was kept
    again.give(lines(41, 41))
    assert data(*lines(1, 41)) == content(path)


def test_by_time_at_the_period_of_utc_whenever_it_was_started(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_800_000_000.0 // DAY * DAY + DAY - 10]
    monkeypatch.setattr(time, "time", lambda: now[0])
    delivery = opened(path, every=DAY)
    delivery.give(lines(1, 1))
    now[0] += 5
    delivery.give(lines(2, 2))
    assert [] == rotated(path)
    now[0] += 6
    delivery.give(lines(3, 3))
    assert [data(*lines(1, 2))] == [file.read_bytes() for file in rotated(path)]
    now[0] += 5 * DAY
    delivery.give(lines(4, 4))
    assert 2 == len(rotated(path))
    assert data(*lines(1, 4)) == content(path)


def test_by_time_also_for_what_was_written_before_the_start(path: Path) -> None:
    delivery = opened(path, every=DAY)
    delivery.give(lines(1, 1))
    delivery.sink.close()
    os.utime(path, (1, 1))
    opened(path, delivery.place.position, every=DAY).give(lines(2, 2))
    assert [data(line(1))] == [file.read_bytes() for file in rotated(path)]


def test_a_clock_that_jumps_back_rotates_once_and_goes_on(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_800_000_000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    delivery = opened(path, every=3600.0)
    for jump in (0, -3600, 0, 86400, 0):
        now[0] += jump
        delivery.give(lines(1, 1))
    assert 2 == len(rotated(path))


def test_an_empty_file_is_not_rotated(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_800_000_000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    delivery = opened(path, every=60.0)
    now[0] += 600
    delivery.give(lines(1, 1))
    assert [] == rotated(path)


def test_keeps_the_newest_and_nobody_elses_files(path: Path) -> None:
    strangers = [path.with_name(name) for name in (f"{path.name}.bak", f"{path.name}.1Z", "tickets.jsonl.20261122Z")]
    for stranger in strangers:
        stranger.write_bytes(b"mine")
    delivery = opened(path, size=1024, keep=2)
    for n in range(1, 201):
        delivery.give(lines(n, n))
    until(lambda: len(rotated(path)) == 2 + len(strangers), "the older ones are gone")
    delivery.sink.idle()
    until(lambda: len(rotated(path)) == 2 + len(strangers), "the older ones are gone")
    assert all(b"mine" == stranger.read_bytes() for stranger in strangers)


def test_compresses_what_was_moved_away(path: Path) -> None:
    delivery = opened(path, size=1024, compress=True)
    for n in range(1, 101):
        delivery.give(lines(n, n))

    def all_packed() -> bool:
        delivery.sink.idle()
        return all(file.suffix == ".gz" for file in rotated(path))

    until(all_packed, "all are compressed")
    assert data(*lines(1, 100)) == content(path)
    assert {0o640} == {file.stat().st_mode & 0o777 for file in rotated(path)}


def test_a_crash_while_compressing_loses_nothing(path: Path) -> None:
    delivery = opened(path, size=1024)
    delivery.give(lines(1, 60))
    delivery.give(lines(61, 61))
    (old,) = rotated(path)
    Path(f"{old}.gz.tmp").write_bytes(b"half a file")
    delivery.sink.close()  # as the end of its process does
    again = opened(path, delivery.place.position, size=1024, compress=True)
    again.sink.idle()
    until(lambda: [file.suffix for file in rotated(path)] == [".gz"], "it is compressed after all")
    assert data(*lines(1, 61)) == content(path)


def test_what_can_not_be_compressed_stays(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("listener.sinks.rotation.shutil.copyfileobj", broken)
    delivery = opened(path, size=1024, compress=True)
    delivery.give(lines(1, 60))
    delivery.give(lines(61, 61))
    tidying = delivery.sink._rotation._tidying  # type: ignore[attr-defined]
    tidying.join(5)
    assert [".Z"] == [file.suffix[:1] + file.suffix[-1:] for file in rotated(path)]
    assert data(*lines(1, 61)) == content(path)
