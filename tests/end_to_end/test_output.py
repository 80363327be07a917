"""Standard output that can't be written: one line on stderr and 74; a reader that has gone is no error."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from listener.simulator import conversation
from tests.daemon import environment
from tests.samples import encode

WORDS = [
    ["schema"],
    ["--version"],
    ["--help"],
    ["check"],
    ["tail"],
    ["tail", "--format", "record"],
    ["status"],
    ["status", "--json"],
    ["service", "print"],
    ["simulator", "--fault", "list"],
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a journal that holds an event."""
    from listener.journal import Journal
    from tests.journal.keeping import pending

    home = tmp_path_factory.mktemp("home")
    (home / "state").mkdir()
    journal = Journal(home / "state" / "helpdesk.db", keep_s=86400, max_size=2**30)
    journal.start()
    journal.append(pending(encode(next(conversation()))))
    assert journal.close()
    return home


def run(home: Path, words: list[str], redirection: str, **env: str) -> "subprocess.CompletedProcess[str]":
    command = ["bash", "-c", f'exec "$@" {redirection}', "-", sys.executable, "-m", "listener", *words]
    env = environment(home, "http://127.0.0.1:9", **env)
    return subprocess.run(command, cwd=home, env=env, capture_output=True, encoding="utf-8", timeout=60, check=False)


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_a_full_disk_is_told_in_a_line_and_74(words: list[str], home: Path) -> None:
    done = run(home, words, ">/dev/full")
    assert 74 == done.returncode, done.stderr
    told = [line for line in done.stderr.splitlines() if "No space left" in line]
    assert 1 == len(told)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_closed_standard_output_is_told_too(home: Path) -> None:
    done = run(home, ["schema"], ">&-")
    assert (74, True) == (done.returncode, "it is closed" in done.stderr)


@pytest.mark.parametrize("words", [["schema"], ["tail"], ["--version"]], ids=" ".join)
def test_a_reader_that_has_gone_is_no_error(words: list[str], home: Path) -> None:
    script = 'set -o pipefail; "$@" | true'
    command = ["bash", "-c", script, "-", sys.executable, "-m", "listener", *words]
    env = environment(home, "http://127.0.0.1:9")
    done = subprocess.run(command, cwd=home, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert (0, "") == (done.returncode, done.stderr)


def test_the_journal_for_people_is_told_too(home: Path) -> None:
    done = run(home, ["tail"], ">&-")
    assert (74, True, False) == (done.returncode, "it is closed" in done.stderr, "Traceback" in done.stderr)


@pytest.mark.parametrize("redirection", ["2>&-", "<&- 2>&-", "2>/dev/full"])
@pytest.mark.parametrize("words", [["tail"], ["check"], ["service", "print"]], ids=" ".join)
def test_a_standard_error_that_takes_nothing_changes_nothing(words: list[str], redirection: str, home: Path) -> None:
    done, right = run(home, words, redirection), run(home, words, "")
    assert (0, right.stdout, "") == (done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"])
def test_an_error_keeps_its_code_where_it_cannot_be_told(redirection: str, home: Path) -> None:
    assert 78 == run(home, ["check", "-c", "none.toml"], redirection).returncode


@pytest.mark.parametrize("redirection", [">&-", "<&- >&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_closed_standard_output_ends_the_daemon_and_no_file_takes_its_place(
    redirection: str, home: Path, tmp_path: Path
) -> None:
    """The next file that is opened gets the descriptor: that was the journal's lock, and it took the records."""
    shutil.copytree(home / "state", tmp_path / "state")
    sink = '[[sinks]]\nname = "out"\ntype = "stdout"\nstart = "earliest"\n'
    (tmp_path / "config.toml").write_text(sink)
    done = run(tmp_path, ["start"], redirection)
    assert 0 == done.returncode, done.stderr
    assert b"event_id" not in (tmp_path / "state" / "helpdesk.db.lock").read_bytes()


LATIN_1 = {
    "PYTHONIOENCODING": "iso-8859-1",
    "LC_ALL": "C.UTF-8",
}  # as with zh_CN.GBK and 🎉


@pytest.mark.parametrize("words", [["tail"], ["check", "--explain", "journal"]], ids=" ".join)
def test_what_the_locale_lacks_is_escaped(words: list[str], home: Path) -> None:
    done, right = run(home, words, "", **LATIN_1), run(home, words, "")
    text = right.stdout.encode("iso-8859-1", "backslashreplace").decode("iso-8859-1")
    assert right.stdout != text
    assert (0, text, "") == (done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("words", [["tail", "--format", "record"], ["schema"], ["schema", "--config"]], ids=" ".join)
def test_json_is_utf_8_in_every_locale(words: list[str], home: Path) -> None:
    done, right = run(home, words, "", **LATIN_1), run(home, words, "")
    assert not right.stdout.isascii()
    assert (0, right.stdout, "") == (done.returncode, done.stdout, done.stderr)
