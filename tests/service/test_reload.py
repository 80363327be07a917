"""SIGHUP while events flow: what changes, what does not, and that the connection never notices."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from listener.simulator import PlatformThread, conversation
from tests.daemon import PROGRAM, Daemon
from tests.service.manager import Manager

HEAD = """
[feishu]
app_id = "cli_a5ca1ab1e0ddba11"
"""
ARCHIVE = """
[[sinks]]
name = "archive"
type = "file"
path = "archive.jsonl"
"""
SECOND = ARCHIVE.replace("archive", "second")


class Reloading:
    """A daemon whose configuration changes; `push` sends the next event of one conversation."""

    def __init__(self, daemon: Daemon, stand_in: PlatformThread) -> None:
        self.daemon, self.stand_in = daemon, stand_in
        self._events = conversation()

    def push(self, count: int = 1) -> None:
        for _ in range(count):
            self.stand_in.call(self.stand_in.call(self.stand_in.platform.push, next(self._events)).acked)

    def reload(self, config: str, answer: str = "reloaded") -> str:
        """The daemon's own words about it."""
        before = self.daemon.said(f'"{answer}')
        (self.daemon.home / "config.toml").write_text(config, encoding="utf-8")
        self.daemon.signal(signal.SIGHUP)
        self.daemon.until(lambda: self.daemon.said(f'"{answer}') > before, answer)
        return next(line for line in reversed(self.daemon.stderr) if f'"{answer}' in line)

    def holds(self, name: str, lines: int) -> None:
        path = self.daemon.home / "logs" / name
        self.daemon.until(lambda: path.exists() and lines == len(path.read_text().splitlines()), f"{lines} in {name}")

    def same_connection(self) -> bool:
        return self.stand_in.call(lambda: self.stand_in.platform.counts["accepted"]) == 1


@contextmanager
def _reloading(home: Path, stand_in: PlatformThread, config: str, **env: str) -> Iterator[Reloading]:
    with Daemon(home, domain=stand_in.url, config=config, env=env) as daemon:
        daemon.ready()
        yield Reloading(daemon, stand_in)


def test_a_file_that_is_gone_is_refused_and_nothing_else_is_read_in_its_place(
    tmp_path: Path, stand_in: PlatformThread
) -> None:
    """It was found as ./config.toml: without it the environment alone would name other sinks."""
    with _reloading(tmp_path, stand_in, HEAD + ARCHIVE) as reloading:
        (tmp_path / "config.toml").unlink()
        reloading.daemon.signal(signal.SIGHUP)
        reloading.daemon.until(lambda: reloading.daemon.said('"reload'), "the answer")
        assert reloading.daemon.said("reload refused: nothing has changed")
        assert reloading.daemon.said("config.toml: can't be read")
        reloading.push()
        reloading.holds("archive.jsonl", 1)
        reloading.reload(HEAD + ARCHIVE + SECOND)


def test_a_reload_during_the_start_does_not_end_it_and_is_made_up_for(tmp_path: Path, stand_in: PlatformThread) -> None:
    """Without a handler a SIGHUP would: the start may take long, to salvage a journal for instance."""
    config = tmp_path / "config.toml"
    os.mkfifo(config, 0o600)
    program = (sys.executable, "-c", f"import os; os.setsid(); os.execv({PROGRAM[0]!r}, {[*PROGRAM, 'start']!r})")
    with Daemon(tmp_path, domain=stand_in.url, program=program) as daemon, config.open("w") as settings:
        daemon.signal(signal.SIGHUP)  # it reads its settings, which have yet to come
        config.unlink()
        config.write_text(HEAD + ARCHIVE + SECOND)
        settings.write(HEAD + ARCHIVE)
        settings.close()
        daemon.ready()
        daemon.until(lambda: daemon.said('"reloaded"'), "the reload")
        Reloading(daemon, stand_in).push()
        Reloading(daemon, stand_in).holds("second.jsonl", 1)


def test_sinks_come_go_and_change_while_the_connection_stays(tmp_path: Path, stand_in: PlatformThread) -> None:
    with _reloading(tmp_path, stand_in, HEAD + ARCHIVE) as running:
        running.push(2)
        running.holds("archive.jsonl", 2)

        running.reload(HEAD + ARCHIVE + SECOND)
        running.push()
        running.holds("archive.jsonl", 3)
        running.holds("second.jsonl", 1)

        running.reload(HEAD + ARCHIVE.replace("archive.jsonl", "elsewhere.jsonl") + SECOND)
        running.push()
        running.holds("elsewhere.jsonl", 1)
        running.holds("second.jsonl", 2)
        running.holds("archive.jsonl", 3)

        running.reload(HEAD + SECOND)
        running.push()
        running.holds("second.jsonl", 3)
        running.holds("elsewhere.jsonl", 1)

        assert running.same_connection()
        assert 0 == running.daemon.stop()


@pytest.mark.slow
def test_a_sink_that_changes_gets_each_event_once(tmp_path: Path, stand_in: PlatformThread) -> None:
    with _reloading(tmp_path, stand_in, HEAD + ARCHIVE) as running:
        for number in range(10):
            running.push(3)
            running.reload(HEAD + ARCHIVE + f'format = "{("record", "raw")[number % 2]}"')
        running.push(3)
        running.holds("archive.jsonl", 33)
        lines = [json.loads(line) for line in (tmp_path / "logs" / "archive.jsonl").read_text().splitlines()]
        ids = [line.get("event_id") or line["header"]["event_id"] for line in lines]
        assert 33 == len(set(ids))


def test_a_file_that_is_broken_changes_nothing_and_is_named(
    tmp_path: Path, stand_in: PlatformThread, manager: Manager
) -> None:
    with _reloading(tmp_path, stand_in, HEAD + ARCHIVE, **manager.env()) as running:
        said = running.reload(HEAD + SECOND + "[journal]\nkep = '1d'\n", answer="reload refused")
        assert 'did you mean \\"keep\\"' in said
        running.push()
        running.holds("archive.jsonl", 1)
        assert not (tmp_path / "logs" / "second.jsonl").exists()
        running.daemon.until(lambda: manager.count("READY=1") == 2, "READY after the reload")
        assert 1 == manager.count("RELOADING=1")


def test_what_needs_a_restart_is_named(tmp_path: Path, stand_in: PlatformThread) -> None:
    with _reloading(tmp_path, stand_in, HEAD + ARCHIVE) as running:
        running.reload(HEAD + "expected_clients = 2\n[journal]\npath = 'other.db'\nkeep = '1d'\n" + ARCHIVE)
        running.daemon.until(lambda: running.daemon.said("wait for a restart"), "the warning")
        (line,) = [line for line in running.daemon.stderr if "wait for a restart" in line]
        assert ["feishu.expected_clients", "journal.path"] == json.loads(line)["settings"]
        assert not (tmp_path / "state" / "other.db").exists()


def test_the_logs_level_changes(tmp_path: Path, stand_in: PlatformThread) -> None:
    with _reloading(tmp_path, stand_in, HEAD + ARCHIVE) as running:
        event = next(conversation())
        for level in ("info", "debug"):
            running.reload(HEAD + ARCHIVE + f"[log]\nlevel = '{level}'\n")
            stand_in.call(stand_in.call(stand_in.platform.push, event).acked)
            stand_in.call(stand_in.call(stand_in.platform.push, event).acked)
        running.daemon.until(lambda: running.daemon.said("duplicate dropped"), "a line at debug")
        assert 0 == running.daemon.stop()
        duplicates = [n for n, line in enumerate(running.daemon.stderr) if "duplicate dropped" in line]
        reloads = [n for n, line in enumerate(running.daemon.stderr) if '"reloaded"' in line]
        assert (2, 2) == (len(duplicates), len(reloads))
        assert min(duplicates) > max(reloads)


def test_a_file_that_was_renamed_is_opened_anew(tmp_path: Path, stand_in: PlatformThread) -> None:
    with _reloading(tmp_path, stand_in, HEAD + ARCHIVE) as running:
        running.push()
        running.holds("archive.jsonl", 1)
        (tmp_path / "logs" / "archive.jsonl").rename(tmp_path / "logs" / "archive.jsonl.1")
        running.reload(HEAD + ARCHIVE)
        running.push()
        running.holds("archive.jsonl", 1)
        running.holds("archive.jsonl.1", 1)


def test_stdout_changes_its_format(tmp_path: Path, stand_in: PlatformThread) -> None:
    out = '[[sinks]]\nname = "out"\ntype = "stdout"\nformat = "raw"\n'
    with _reloading(tmp_path, stand_in, HEAD + out) as running:
        running.push()
        running.daemon.until(lambda: len(running.daemon.stdout) == 1, "a line on stdout")
        running.reload(HEAD + out.replace("raw", "record"))
        running.push()
        running.daemon.until(lambda: len(running.daemon.stdout) == 2, "a second line on stdout")
        assert [True, False] == ["header" in line for line in running.daemon.records]
