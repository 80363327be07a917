"""`tail --filter`, and what `check` and `start` say of an expression."""

from pathlib import Path

import pytest

from tests.inprocess import Commands, commands
from tests.journal.keeping import keep, opened, payload

__all__ = ["commands"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    with opened(tmp_path / "state" / "helpdesk.db") as journal:
        keep(journal, *[payload(one, text=f"text of {one}") for one in "abc"])
    return tmp_path


def test_tail_shows_what_the_filter_wants(home: Path, commands: Commands) -> None:
    shown = commands.run("tail", "--filter", '.plain_text | endswith("b")').out.splitlines()
    assert ["text of b"] == [line[-9:] for line in shown]


@pytest.mark.parametrize("command", ["check", "start"])
def test_a_wrong_expression_is_told_before_anything_starts(home: Path, commands: Commands, command: str) -> None:
    sink = '[[sinks]]\nname = "a"\ntype = "stdout"\nfilter = ".event ="\n'
    (home / "config.toml").write_text(sink)
    told = commands.run(command)
    assert 78 == told.rc
    assert "sink a: filter: jq: error: syntax error" in told.err
    assert "^" in told.err
