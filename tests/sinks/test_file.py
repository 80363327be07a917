"""The file sink alive: what it writes, and what others may do to its file meanwhile."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from listener.sinks.file import FileConfig
from tests.sinks.lines import Delivery, again, data, line, lines, sink_of
from tests.small_disk import SmallDisk, small_disk


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


def opened(path: Path, **settings: object) -> Delivery:
    return Delivery(sink_of(FileConfig(name="archive", path=path, **settings)))  # type: ignore[arg-type]


def test_a_line_each_in_order(path: Path) -> None:
    delivery = opened(path)
    delivery.give(lines(1, 3))
    delivery.give(lines(4, 5))
    assert data(*lines(1, 5)) == path.read_bytes()
    assert [1, 2, 3, 4, 5] == [json.loads(one)["seq"] for one in path.read_text(encoding="utf-8").splitlines()]


def test_the_directory_is_made_and_the_mode_is_0640_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "deep" / "out.jsonl"
    before = os.umask(0o077)
    try:
        opened(path).give(lines(1, 1))
    finally:
        os.umask(before)
    assert 0o640 == path.stat().st_mode & 0o777


def test_what_stood_there_before_stays(path: Path) -> None:
    path.write_bytes(b"somebody's line\nhalf of one")
    opened(path).give(lines(1, 1))
    assert b"somebody's line\nhalf of one\n" + data(line(1)) == path.read_bytes()


def test_the_place_is_kept_before_the_first_line(path: Path) -> None:
    """Else a crash right after it would leave a line that nobody knows of."""
    delivery = opened(path)
    assert delivery.kept.position
    assert 0 == path.stat().st_size


@pytest.mark.parametrize("fsync", ["batch", "never"])
def test_fsync(path: Path, monkeypatch: pytest.MonkeyPatch, fsync: str) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", lambda fd: synced.append(os.fstat(fd).st_size))
    delivery = opened(path, fsync=fsync)
    delivery.give(lines(1, 3))
    first = path.stat().st_size  # synced at once: nothing else tells whose the file is
    delivery.give(lines(4, 5))
    assert data(*lines(1, 5)) == path.read_bytes()
    assert ([0, first] if fsync == "batch" else []) == synced
    delivery.keep()
    assert ([0, first, path.stat().st_size] if fsync == "batch" else []) == synced


def test_renamed_as_logrotate_does_it(path: Path) -> None:
    delivery = opened(path)
    delivery.give(lines(1, 2))
    path.rename(f"{path}.1")
    delivery.give(lines(3, 4))
    path.rename(f"{path}.2")
    path.touch(0o600)  # logrotate's `create`
    delivery.give(lines(5, 6))
    files = [Path(f"{path}.1"), Path(f"{path}.2"), path]
    assert [data(*lines(n, n + 1)) for n in (1, 3, 5)] == [file.read_bytes() for file in files]
    assert 0o600 == path.stat().st_mode & 0o777


def test_deleted_or_its_whole_directory(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "out.jsonl"
    delivery = opened(path)
    delivery.give(lines(1, 2))
    path.unlink()
    delivery.give(lines(3, 4))
    assert data(*lines(3, 4)) == path.read_bytes()
    path.unlink()
    path.parent.rmdir()
    delivery.give(lines(5, 6))
    assert data(*lines(5, 6)) == path.read_bytes()


def test_reopened_on_a_signal(path: Path) -> None:
    delivery = opened(path)
    delivery.give(lines(1, 1))
    delivery.sink.reopen()
    delivery.give(lines(2, 2))
    assert data(*lines(1, 2)) == path.read_bytes()


def test_others_writing_to_it_tear_no_line_and_spoil_no_place(path: Path) -> None:
    delivery = opened(path)
    delivery.give(lines(1, 2))
    with path.open("ab") as other:
        other.write(b"half a line of somebody else")
    delivery.give(lines(3, 4))
    assert data(*lines(1, 2)) + b"half a line of somebody else\n" + data(*lines(3, 4)) == path.read_bytes()
    assert path.stat().st_size == json.loads(delivery.place.position)["offset"]


def test_truncated_by_copytruncate_it_goes_on_at_the_new_end(path: Path) -> None:
    delivery = opened(path)
    delivery.give(lines(1, 100))
    os.truncate(path, 0)
    delivery.give(lines(101, 102))
    assert data(*lines(101, 102)) == path.read_bytes()
    assert path.stat().st_size == json.loads(delivery.place.position)["offset"]


@pytest.mark.parametrize("what", ["directory", "fifo"])
def test_what_is_no_regular_file_is_not_written(path: Path, what: str) -> None:
    path.mkdir() if what == "directory" else os.mkfifo(path)
    with pytest.raises(OSError, match=r"regular file|Is a directory"):
        opened(path)


def test_a_path_that_becomes_unwritable_is_tried_again(path: Path) -> None:
    delivery = opened(path)
    delivery.give(lines(1, 2))
    path.unlink()
    path.mkdir()
    with pytest.raises(OSError, match="Is a directory"):  # what a sink raises counts as TryAgain
        delivery.once(lines(3, 4))
    path.rmdir()
    delivery.give(lines(3, 4))
    assert data(*lines(3, 4)) == path.read_bytes()


# A full disk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", "1m") as disk:
        yield disk


def test_a_full_disk_tears_no_line_and_is_tried_again(disk: SmallDisk) -> None:
    path = disk.path / "out.jsonl"
    delivery = opened(path)
    delivery.give(lines(1, 50))
    for leave in (0, 4096, 8192):
        disk.fill(leave)
        assert "No space left" in again(delivery.once([line(n, b"x" * 3000) for n in range(51, 61)]))
        assert data(*lines(1, 50)) == path.read_bytes()
    disk.empty()
    delivery.give(lines(51, 60))
    assert data(*lines(1, 60)) == path.read_bytes()


def test_half_a_line_that_can_not_be_taken_back_goes_before_the_next(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write

    def half(fd: int, content: bytes) -> int:
        write(fd, content[: len(content) // 2])
        raise OSError(28, "No space left on device")

    def stuck(_fd: int, _size: int) -> None:
        raise OSError(5, "Input/output error")

    delivery = opened(path)
    delivery.give(lines(1, 2))
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", half)
        patch.setattr(os, "ftruncate", stuck)
        assert "No space left" in again(delivery.once(lines(3, 4)))
    assert path.stat().st_size > len(data(*lines(1, 2)))
    delivery.give(lines(3, 4))
    assert data(*lines(1, 4)) == path.read_bytes()


def broken(_fd: int) -> None:
    raise OSError(5, "Input/output error")


def test_a_sync_that_fails_takes_the_lines_back(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After EIO the kernel may have dropped the pages (fsync(2)): only writing them anew helps."""
    kept: list[int] = []
    monkeypatch.setattr(os, "fdatasync", lambda fd: broken(fd) if len(kept) == 2 else kept.append(fd))
    delivery = opened(path)
    delivery.give(lines(1, 2))
    delivery.keep()
    delivery.give(lines(3, 4))
    delivery.give(lines(5, 6))
    assert "Input/output error" in delivery.sync()
    assert data(*lines(1, 2)) == path.read_bytes()
    delivery.give(lines(3, 6))
    assert data(*lines(1, 6)) == path.read_bytes()


def test_what_was_written_is_synced_before_another_file_is_begun(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[int, int]] = []

    def sync(fd: int) -> None:
        state = os.fstat(fd)
        synced.append((state.st_ino, state.st_size))

    monkeypatch.setattr(os, "fdatasync", sync)
    delivery = opened(path)
    delivery.give(lines(1, 2))
    delivery.give(lines(3, 4))
    path.rename(f"{path}.1")
    old = Path(f"{path}.1").stat()
    delivery.give(lines(5, 6))
    assert (old.st_ino, old.st_size) in synced
    assert json.loads(delivery.kept.position) == {"inode": path.stat().st_ino, "offset": 0, "crc": 0}


def test_what_an_earlier_worker_did_not_sync_is_synced_by_the_next(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its position is kept as soon as the next one is open, wherever the file is by then."""
    synced: list[tuple[int, int]] = []

    def sync(fd: int) -> None:
        state = os.fstat(fd)
        synced.append((state.st_ino, state.st_size))

    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, sync)
    delivery = opened(path)
    delivery.give(lines(1, 2))
    delivery.give(lines(3, 4))
    path.rename(f"{path}.1")
    left = Path(f"{path}.1").stat()
    assert (left.st_ino, left.st_size) not in synced
    Delivery(sink_of(FileConfig(name="archive", path=path)), delivery.place.position, before=delivery.sink)
    assert (left.st_ino, left.st_size) in synced


def test_a_sync_that_fails_lengthens_no_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody has truncated it meanwhile."""
    kept: list[int] = []
    monkeypatch.setattr(os, "fdatasync", lambda fd: broken(fd) if len(kept) == 2 else kept.append(fd))
    delivery = opened(path)
    delivery.give(lines(1, 2))
    delivery.keep()
    delivery.give(lines(3, 4))
    os.truncate(path, 0)
    assert "Input/output error" in delivery.sync()
    assert b"" == path.read_bytes()
