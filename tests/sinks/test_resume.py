"""After a crash: no line torn, none twice, none missing, wherever it came."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from listener.sinks.file import FileConfig
from listener.sinks.resume import Position
from tests.sinks.lines import Delivery, data, line, lines, sink_of


def restarted(path: Path, before: Delivery, ahead: int = 9) -> Delivery:
    """As after kill -9: the kept place, and the lines that come after it."""
    config = FileConfig(name="archive", path=path)
    return Delivery(sink_of(config), before.kept.position, lines(before.kept.seq + 1, ahead), before.sink)


def started(path: Path) -> Delivery:
    return Delivery(sink_of(FileConfig(name="archive", path=path)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


@given(kept=st.integers(0, 6), cut=st.integers(0, 400))
@settings(max_examples=80, deadline=None)
def test_any_crash_point(tmp_path_factory: pytest.TempPathFactory, kept: int, cut: int) -> None:
    """The cursor is `kept` lines far, and the file ends `cut` bytes after that, in the middle of anything."""
    path = tmp_path_factory.mktemp("resume") / "out.jsonl"
    delivery = started(path)
    delivery.give(lines(1, kept))
    delivery.keep()
    delivery.give(lines(kept + 1, 9))
    os.truncate(path, min(len(data(*lines(1, kept))) + cut, path.stat().st_size))

    after = restarted(path, delivery)
    after.give(lines(kept + after.found + 1, 9))

    assert data(*lines(1, 9)) == path.read_bytes()
    assert [path] == list(path.parent.iterdir())


@given(kept=st.integers(0, 4), good=st.integers(0, 100), foreign=st.binary(min_size=1, max_size=50))
@settings(max_examples=60, deadline=None)
def test_bytes_of_others_move_aside(
    tmp_path_factory: pytest.TempPathFactory, kept: int, good: int, foreign: bytes
) -> None:
    """Such as the zeros that a power loss leaves where nothing was synced."""
    path = tmp_path_factory.mktemp("resume") / "out.jsonl"
    delivery = started(path)
    delivery.give(lines(1, kept))
    delivery.keep()
    rest = data(*lines(kept + 1, 9))[:good] + b"\0" + foreign
    with path.open("ab") as file:
        file.write(rest)

    after = restarted(path, delivery)
    after.give(lines(kept + after.found + 1, 9))

    assert data(*lines(1, 9)) == path.read_bytes()
    assert Path(f"{path}.torn").read_bytes() in rest


def test_a_torn_line_is_completed_even_if_no_more_come(path: Path) -> None:
    delivery = started(path)
    with path.open("ab") as file:
        file.write(line(1).data[:10])
    assert 1 == restarted(path, delivery, ahead=1).found
    assert data(line(1)) == path.read_bytes()


@pytest.mark.parametrize("erased", [[3], [4], [3, 5], [6], [3, 4, 5, 6]], ids=str)
def test_lines_of_events_that_were_erased_after_a_crash_make_no_other_come_twice(path: Path, erased: list[int]) -> None:
    """`forget` between kill -9 and the next start: the file has lines that the journal can't make again."""
    delivery = started(path)
    delivery.give(lines(1, 2))
    delivery.keep()
    delivery.give(lines(3, 6))
    left = [line(seq) for seq in range(3, 9) if seq not in erased]

    after = Delivery(sink_of(FileConfig(name="archive", path=path)), delivery.kept.position, left, delivery.sink)
    after.give(left[after.found :])

    assert data(*lines(1, 8)) == path.read_bytes()
    assert [path] == list(path.parent.iterdir())


def test_a_file_that_was_renamed_while_we_were_down_is_found(path: Path) -> None:
    delivery = started(path)
    delivery.give(lines(1, 2))
    delivery.keep()
    delivery.give(lines(3, 4))
    os.truncate(path, path.stat().st_size - 5)
    other = path.with_name("out-20261122.jsonl")
    path.rename(other)
    path.touch()

    after = restarted(path, delivery)
    assert 2 == after.found
    after.give(lines(5, 6))

    assert data(*lines(1, 4)) == other.read_bytes()
    assert data(*lines(5, 6)) == path.read_bytes()


def test_renamed_and_begun_anew_before_a_crash(path: Path) -> None:
    delivery = started(path)
    delivery.give(lines(1, 2))
    path.rename(f"{path}.1")
    delivery.give(lines(3, 4))  # the place in the new file is kept before its first line
    after = restarted(path, delivery)
    assert 2 == after.found
    assert data(*lines(3, 4)) == path.read_bytes()


def test_a_deleted_file_is_begun_anew(path: Path) -> None:
    delivery = started(path)
    delivery.give(lines(1, 2))
    delivery.keep()
    path.unlink()
    after = restarted(path, delivery)
    assert 0 == after.found
    after.give(lines(3, 3))
    assert data(line(3)) == path.read_bytes()


def test_a_file_that_somebody_truncated_goes_on_at_its_end(path: Path) -> None:
    delivery = started(path)
    delivery.give(lines(1, 4))
    delivery.keep()
    os.truncate(path, len(data(line(1))))
    restarted(path, delivery).give(lines(5, 5))
    assert data(line(1), line(5)) == path.read_bytes()


@pytest.mark.parametrize("place", ["the path", "a sibling"])
def test_a_strangers_file_with_the_same_inode_is_left_alone(path: Path, place: str) -> None:
    """Inode numbers are used again, so the bytes before the place must be the known ones."""
    delivery = started(path)
    delivery.give(lines(1, 3))
    delivery.keep()
    stranger = b"an accountant's notes\n" * 100
    path.write_bytes(stranger)  # the same inode
    if place == "a sibling":
        path.rename(path.with_name("notes.txt"))
    after = restarted(path, delivery)
    after.give(lines(4, 4))

    notes = path if place == "the path" else path.with_name("notes.txt")
    assert stranger == notes.read_bytes()[: len(stranger)]
    assert data(line(4)) == path.read_bytes()[-len(data(line(4))) :]
    assert not Path(f"{path}.torn").exists()


def test_an_empty_file_that_became_a_strangers_elsewhere_is_left_alone(path: Path) -> None:
    delivery = started(path)
    path.rename(path.with_name("notes.txt"))
    path.with_name("notes.txt").write_bytes(b"notes")
    restarted(path, delivery).give(lines(1, 1))
    assert b"notes" == path.with_name("notes.txt").read_bytes()
    assert data(line(1)) == path.read_bytes()


@pytest.mark.parametrize("position", ["", "7", "{}", '{"inode":"x"}', "not JSON"])
def test_a_place_in_other_terms_is_no_place(path: Path, position: str) -> None:
    """A sink of that name was of another type before."""
    assert None is Position.decode(position)
    Delivery(sink_of(FileConfig(name="archive", path=path)), position).give(lines(1, 1))
    assert data(line(1)) == path.read_bytes()


def test_a_finished_file_that_is_read_only_by_now_is_no_hindrance(path: Path) -> None:
    delivery = started(path)
    delivery.give(lines(1, 2))
    delivery.keep()
    path.chmod(0o400)
    path.rename(f"{path}.1")
    restarted(path, delivery).give(lines(3, 3))
    assert data(line(3)) == path.read_bytes()


def test_whole_records_that_the_journal_does_not_know_stay(path: Path) -> None:
    """The journal was restored from a backup, say: the archive is ahead of it."""
    delivery = started(path)
    delivery.give(lines(1, 3))
    delivery.keep()
    foreign = b'{"event_id":"later","seq":4}\n{"event_id":"later still","seq":5}\n'
    with path.open("ab") as file:
        file.write(foreign + b'{"event_id":"to')
    after = restarted(path, delivery)
    after.give(lines(4, 5))
    assert data(*lines(1, 3)) + foreign + data(*lines(4, 5)) == path.read_bytes()
    assert b'{"event_id":"to' == Path(f"{path}.torn").read_bytes()


@pytest.mark.parametrize("foreign", [b'"a text"\n', b"[1,2]\n", b"17\n"])
def test_whole_lines_of_a_transform_stay_too(path: Path, foreign: bytes) -> None:
    delivery = started(path)
    delivery.give(lines(1, 2))
    delivery.keep()
    with path.open("ab") as file:
        file.write(foreign)
    restarted(path, delivery).give(lines(3, 3))
    assert data(*lines(1, 2)) + foreign + data(line(3)) == path.read_bytes()
