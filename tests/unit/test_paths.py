"""Where relative paths start, and what is said where there is no such place."""

import pwd
from pathlib import Path

import pytest

from listener.base.errors import ConfigError
from listener.settings.config import load

CONFIG = '[feishu]\napp_id = "cli_file"\napp_secret = "file-secret"\n'


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """No $HOME, and a user that the system does not know, as in some containers."""

    def unknown(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", unknown)


def problem(home: Path, more: str = "") -> str:
    file = home / "config.toml"
    file.touch(0o600)
    file.write_text(CONFIG + more)
    with pytest.raises(ConfigError) as error:
        load(file, {"XDG_STATE_HOME": "relative"})
    return str(error.value)


@pytest.mark.usefixtures("homeless")
def test_without_a_home_it_says_which_variables_it_looked_for(tmp_path: Path) -> None:
    told = problem(tmp_path)
    assert "journal.path: expected an absolute path" in told
    for variable in ("$STATE_DIRECTORY", "$XDG_STATE_HOME", "$HOME"):
        assert variable in told
    assert "set " in told


@pytest.mark.usefixtures("homeless")
@pytest.mark.parametrize("path", ["~/mine.db", "~nobody-of-this-name/mine.db"])
def test_without_that_home_a_tilde_is_named(path: str, tmp_path: Path) -> None:
    assert "a path without ~" in problem(tmp_path, f'[journal]\npath = "{path}"\n')


@pytest.mark.usefixtures("homeless")
@pytest.mark.parametrize("name", ["STATE_DIRECTORY", "XDG_STATE_HOME", "HOME"])
def test_each_of_the_variables_is_enough(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    env = {"FEISHU_APP_ID": "cli_x", "FEISHU_APP_SECRET": "secret", name: str(tmp_path)}
    monkeypatch.chdir(tmp_path)
    assert tmp_path in load(None, env).journal.path.parents
