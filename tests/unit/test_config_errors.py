"""What is wrong with the settings is told whole: file, setting, what was found, what is right; never a secret."""

from pathlib import Path

import pytest

from listener.base.errors import ConfigError
from listener.settings.config import load
from listener.settings.convert import one_of
from listener.sinks import TYPES

HEAD = '[feishu]\napp_id = "cli_a"\napp_secret = "s3cr3t-value"\n'
FILE_SINK = '[[sinks]]\nname = "{name}"\ntype = "file"\npath = "{path}"\n'


def problems(tmp_path: Path, text: str | bytes, **env: str) -> list[str]:
    """The lines of the error, without the file's name, which each must begin with."""
    path = tmp_path / "config.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as caught:
        load(path, {"HOME": str(tmp_path), **env})
    lines = str(caught.value).splitlines()
    assert [line for line in lines if not line.startswith((str(path), "environment"))] == []
    assert caught.value.hint
    return [line.removeprefix(f"{path}").removeprefix(": ") for line in lines]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("keep = ", ":4:8: Invalid value"),
        ('keep = "7d', ":4:11: Unterminated string"),
        ("app_id = 'twice'", ":4:17: Cannot overwrite a value"),
        ("[journal", ":4:9: Expected ']' at the end of a table declaration"),
    ],
)
def test_broken_toml_is_told_with_line_and_column(tmp_path: Path, text: str, problem: str) -> None:
    assert [problem] == problems(tmp_path, HEAD + text)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"# \xff", "not UTF-8"),
        (b"x = " + b"[" * 100_000, "nested too deeply"),
        (b"x = " + b"1" * 5000, "integer string conversion"),
        (b"#" * (2**20 + 1), "larger than 1 MiB"),
    ],
)
def test_junk_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    assert problem in problems(tmp_path, content)[0]


def test_a_byte_order_mark_and_windows_lines_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xef\xbb\xbf" + HEAD.replace("\n", "\r\n").encode())
    assert load(path, {"HOME": "/"}).feishu.app_id == "cli_a"


LOG = "[[sinks]]\ntype = 'log'\nname = 'a'\n"
ARCHIVE = "[[sinks]]\ntype = 'file'\nname = 'a'\npath = 'x'\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('domian = "x"', 'feishu.domian: unknown setting (did you mean "domain"?); known here: app_id, app_secret, '),
        (
            "[journa]",
            'journa: unknown setting (did you mean "journal"?); known here: feishu, source, journal, ',
        ),
        ('"a\\nb" = 1', 'feishu."a\ufffdb": unknown setting'),
        ("slow_retry = 3", "feishu.slow_retry: expected a table, found 3"),
        ('slow_retry.min_delay = "10m"', "feishu.slow_retry: min_delay is longer than max_delay"),
        ("events = []", "feishu.events: expected a list of at least one of"),
        ("events = [[]]", "feishu.events: expected a list of at least one of"),
        ('events = ["helpdesk.ticket.created"]', "feishu.events: expected a list of at least one of"),
        ("[journal]\nkeep = 7", 'journal.keep: expected a duration from 1m to 3650d, such as "500ms", "30s"'),
        ('[journal]\nkeep = "1s"', "journal.keep: expected a duration from 1m to 3650d"),
        ('[journal]\nmax_size = "1G"', "journal.max_size: expected a size from 1MiB to 16TiB"),
        ("[journal]\nmax_size = true", "journal.max_size: expected a size from 1MiB to 16TiB"),
        (f"[journal]\nmax_size = 0x{'f' * 6000}", "journal.max_size: expected a size from 1MiB to 16TiB"),
        ('[journal]\npath = ""', 'journal.path: expected a path, found ""'),
        ('[journal]\npath = "a\\u0000b"', 'journal.path: expected a path, found "a\ufffdb"'),
        ('[journal]\npath = "~nobody-of-that-name/x"', "journal.path: expected a path"),
        (
            '[log]\nlevel = "inf"',
            'log.level: expected one of "debug", "info", "warning", "error", found "inf" (did you',
        ),
        (
            "[log]\nlevel = 1979-05-27",
            'log.level: expected one of "debug", "info", "warning", "error", found a date or',
        ),
        ("[sinks]", "sinks: expected tables that each begin with [[sinks]], found a table"),
        ("[[sinks]]\nname = 'x'", 'sinks[0].type: missing; expected one of "stdout", "file", "log"'),
        (
            "[[sinks]]\ntype = 'fil'",
            f"sinks[0].type: expected {one_of(TYPES)}",
        ),
        (
            "[[sinks]]\ntype = ['file']",
            f"sinks[0].type: expected {one_of(TYPES)}",
        ),
        ("[[sinks]]\ntype = 'stdout'", "sinks[0].name: missing; expected a unique name"),
        ("[[sinks]]\ntype = 'log'\nname = '-'", "sinks[0].name: expected a unique name of 1 to 64 letters"),
        ("[[sinks]]\ntype = 'log'\nname = 'a b'", "sinks[0].name: expected a unique name of 1 to 64 letters"),
        ("[[sinks]]\ntype = 'file'\nname = 'a'", "sinks[0].path: missing"),
        (LOG + "path = 'x'", "sinks[0].path: unknown setting; known here: name, type, format, start, retry, only,"),
        (LOG + "retry.give_up_after = 'nver'", "sinks[0].retry.give_up_after: expected a duration"),
        (LOG + "retry.max_delay = 'never'", "sinks[0].retry.max_delay: expected a duration"),
        (ARCHIVE + "rotate = {}", "sinks[0].rotate: says when to rotate"),
        (ARCHIVE + "rotate = {size='1MB', keep=0}", "sinks[0].rotate.keep: expected a whole number from 1 to 100000"),
        (ARCHIVE + "rotate = {size='1MB', compress=1}", "sinks[0].rotate.compress: expected true or false, found 1"),
    ],
)
def test_one_wrong_setting_is_one_line(tmp_path: Path, text: str, problem: str) -> None:
    (line,) = problems(tmp_path, HEAD + text)
    assert problem == line[: len(problem)]


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    text = '[feishu]\napp_id = ""\ndomain = "x"\n[journal]\nkeep = 1\n[log]\nlevel = 1\n'
    text += '[[sinks]]\n[[sinks]]\ntype = "file"\n'
    keys = [line.partition(":")[0] for line in problems(tmp_path, text)]
    expected = ["feishu.app_id", "feishu.app_secret", "feishu.domain", "journal.keep", "log.level", "sinks[0].type"]
    assert [*expected, "sinks[1].name", "sinks[1].path"] == keys


def test_of_very_many_problems_the_first_are_told(tmp_path: Path) -> None:
    lines = problems(tmp_path, "".join(f"x{i} = 1\n" for i in range(1000)) + HEAD)
    assert (len(lines), lines[-1]) == (51, "and 950 more")


def test_sinks_have_names_and_files_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    sinks = [("a", "one"), ("a", "two"), ("b", "link/one"), ("c", "helpdesk.db")]
    text = HEAD + f'[journal]\npath = "{tmp_path}/helpdesk.db"\n'
    text += "".join(FILE_SINK.format(name=name, path=f"{tmp_path}/{path}") for name, path in sinks)
    name, *paths = problems(tmp_path, text)
    assert name == 'sinks[1].name: "a" is already sinks[0].name; each must be its own'
    assert [line.partition(":")[0] for line in paths] == ["sinks[2].path", "sinks[3].path"]
    assert ["is already sinks[0].path" in paths[0], "is already journal.path" in paths[1]] == [True, True]


def test_the_number_of_sinks_is_bounded(tmp_path: Path) -> None:
    text = HEAD + "".join(f'[[sinks]]\nname = "s{i}"\ntype = "stdout"\n' for i in range(65))
    assert problems(tmp_path, text) == ["sinks: expected at most 64, found 65"]


def test_two_stdout_sinks_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(HEAD + "".join(f'[[sinks]]\nname = "s{i}"\ntype = "stdout"\n' for i in range(2)))
    assert [sink.name for sink in load(path, {"HOME": "/"}).sinks] == ["s0", "s1"]


@pytest.mark.parametrize(
    "text",
    [
        "app_secret = 'never-read-before and more'",
        "app_secret = ['never-read-before']",
        "app_secrt = 'never-read-before'",
        "app_secret = 'never-read-before",
        "app_secret = never-read-before",
        "proxy = 'user:never-read-before@proxy'",
        "proxy = ['never-read-before']",
        "proxy = 'http://user:never-read-before@proxy:99999'",
        "domain = 'https://user:never-read-before@open.feishu.cn'",
    ],
)
def test_no_error_repeats_a_secret(tmp_path: Path, text: str) -> None:
    """This secret is in no valid file here, so `redact` can't know it."""
    lines = problems(tmp_path, "[feishu]\napp_id = 'x'\n" + text)
    assert lines
    assert "never-read-before" not in "\n".join(lines)


def test_a_wrong_environment_variable_is_named(tmp_path: Path) -> None:
    env = {"FEISHU_DOMAIN": "http://open.feishu.cn", "FEISHU_APP_ID": "a b", "FEISHU_APP_SECRET": "two words"}
    app_id, secret, domain = problems(tmp_path, HEAD, **env)
    assert app_id.startswith("environment: FEISHU_APP_ID: expected the App ID")
    assert secret.startswith("environment FEISHU_APP_SECRET holds more than a secret")
    assert domain.startswith("environment: FEISHU_DOMAIN: expected an address")


def test_a_secret_in_the_place_of_a_name_is_not_repeated(tmp_path: Path) -> None:
    (line,) = problems(tmp_path, HEAD + 'hT8sKq2LzP0wXv = ""')
    assert "hT8sKq2LzP0wXv" not in line
    assert "a name of 14 characters" in line
