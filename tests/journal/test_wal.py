"""A write-ahead log with a flipped bit: what was acked is not passed over without a word, and no seq is used again."""

import shutil
from contextlib import closing
from pathlib import Path

import pytest

from listener.journal.checkpoint import checkpoint
from listener.journal.database import connect
from tests.journal.keeping import archiving, ids, keep, keep_ids, opened, payload

HEADER, FRAME = 32, 24 + 4096  # bytes


def crashed(path: Path, commits: int = 40) -> Path:
    """What a killed process leaves of that many commits, none of which was moved into the database."""
    left = path.with_name("left.db")
    with archiving(path) as journal:
        for number in range(commits):
            assert [200] == keep_ids(journal, f"e{number}")
        for suffix in ("", "-wal", "-shm"):
            shutil.copy(f"{path}{suffix}", f"{left}{suffix}")
    return left


def flip(path: Path, at: int) -> None:
    content = bytearray(Path(f"{path}-wal").read_bytes())
    content[at] ^= 0x10
    Path(f"{path}-wal").write_bytes(content)


def cut(path: Path, at: int) -> None:
    content = Path(f"{path}-wal").read_bytes()
    Path(f"{path}-wal").write_bytes(content[:at])


@pytest.mark.parametrize("index", ["kept", "lost"])
@pytest.mark.parametrize("byte", [0, 6, 10, 18, 2000])  # page number, size after commit, salt, checksum, page
def test_a_flipped_bit_in_the_middle_is_told_as_damage(
    tmp_path: Path, index: str, byte: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the log's index, as after a kill, and without it, as after a power cut."""
    left = crashed(tmp_path / "j.db")
    frames = (Path(f"{left}-wal").stat().st_size - HEADER) // FRAME
    flip(left, HEADER + frames // 2 * FRAME + byte)
    if index == "lost":
        Path(f"{left}-shm").unlink()
    with opened(left) as journal:
        assert "ends before a commit that was synced" in capsys.readouterr().out
        found = ids(journal.read(0, 100))
        assert found == [f"e{number}" for number in range(len(found))]
        assert len(found) < 40
        last = journal.last_seq
        assert [200] == keep_ids(journal, "new")
        assert journal.last_seq == last + 1 > 1000


def test_a_flipped_bit_in_the_last_commit_is_told_after_a_kill(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left = crashed(tmp_path / "j.db")
    flip(left, Path(f"{left}-wal").stat().st_size - 2000)
    with opened(left):
        assert "ends before a commit that was synced" in capsys.readouterr().out


@pytest.mark.parametrize("short", [1, FRAME, 2 * FRAME + 7])
def test_a_commit_that_a_power_cut_ended_is_no_damage(
    tmp_path: Path, short: int, capsys: pytest.CaptureFixture[str]
) -> None:
    left = crashed(tmp_path / "j.db")
    Path(f"{left}-shm").unlink()
    cut(left, Path(f"{left}-wal").stat().st_size - short)
    with opened(left) as journal:
        assert len(journal.read(0, 100)) in (38, 39, 40)
    assert "damage" not in capsys.readouterr().out


def test_pages_of_one_commit_written_in_any_order_are_no_damage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last commit of many pages, of which a power cut kept all but the first."""
    left = tmp_path / "left.db"
    with archiving(tmp_path / "j.db") as journal:
        keep_ids(journal, "first")
        before = Path(f"{journal.path}-wal").stat().st_size
        keep(journal, payload("large", text="x" * 100_000))
        for suffix in ("", "-wal"):
            shutil.copy(f"{journal.path}{suffix}", f"{left}{suffix}")
    flip(left, before + 100)
    with opened(left) as journal:
        assert ["first"] == ids(journal.read(0, 10))
    assert "damage" not in capsys.readouterr().out


def test_frames_of_an_older_log_behind_the_newest_commit_are_no_damage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A log that was started over still has whole commits of the time before behind its own, wherever a kill comes."""
    with archiving(tmp_path / "j.db") as journal:
        for number in range(40):
            keep_ids(journal, f"e{number}")
        with closing(connect(journal.path)) as connection:
            assert checkpoint(connection)
        for number in range(40, 60):
            keep_ids(journal, f"e{number}")
            for suffix in ("", "-wal", "-shm"):
                shutil.copy(f"{journal.path}{suffix}", tmp_path / f"left{number}.db{suffix}")
    for number in range(40, 60):
        with opened(tmp_path / f"left{number}.db") as journal:
            assert len(journal.read(0, 100)) == number + 1
    assert "damage" not in capsys.readouterr().out
