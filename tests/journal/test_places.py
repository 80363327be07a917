"""The journal's files are taken away while the daemon runs: writes would go on into nothing."""

import os
from itertools import count
from pathlib import Path

import pytest

from tests.journal.keeping import keep_ids, opened, until


def _replace(path: Path) -> None:
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    os.rename(copy, path)


@pytest.mark.parametrize("suffix", ["", ".lock"])
@pytest.mark.parametrize("take_away", [Path.unlink, _replace])
def test_a_journal_that_is_gone_refuses(tmp_path: Path, suffix: str, take_away: object) -> None:
    path = tmp_path / "j.db"
    ids = map(str, count())
    with opened(path) as journal:
        assert [200] == keep_ids(journal, "a")
        take_away(Path(f"{path}{suffix}"))  # type: ignore[operator]
        until(lambda: keep_ids(journal, next(ids)) == [500], "it is noticed", within=2.0)
        assert "deleted or replaced" in str(journal.writer.failing)


def test_it_is_noticed_without_an_event_too(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with opened(path) as journal:
        path.unlink()
        until(lambda: journal.writer.failing, "it is noticed", within=2.0)


def test_one_that_comes_back_is_used_again(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with opened(path) as journal:
        os.rename(path, tmp_path / "away")
        until(lambda: journal.writer.failing, "it is noticed")
        os.rename(tmp_path / "away", path)
        assert [200] == keep_ids(journal, "b")
        assert journal.writer.failing is None
