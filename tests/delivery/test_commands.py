"""tail, replay and dead-letters, beside a daemon and without one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from listener.journal import Cursor, redelivery
from listener.journal.reading import dead_letters, reading
from listener.simulator import PlatformThread
from tests.daemon import Daemon, environment
from tests.inprocess import Commands, commands
from tests.journal.keeping import keep, keep_ids, opened, payload, rows
from tests.lines import whole_lines

__all__ = ["commands"]
CONFIG = '[[sinks]]\nname = "archive"\ntype = "file"\npath = "out.jsonl"\nstart = "earliest"\n'


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """With a journal of three events, of which "b" is a dead letter, and a payload that can't be read."""
    (tmp_path / "config.toml").write_text(CONFIG, encoding="utf-8")
    for directory in ("state", "logs"):
        (tmp_path / directory).mkdir()
    with opened(tmp_path / "state" / "helpdesk.db") as journal:
        journal.attach([("archive", True), ("gone", True)])
        keep(journal, *[payload(one, text=f"text of {one}") for one in "abc"], b"hello")
        journal.dead_letter("archive", 2, "400 Bad Request", 3, Cursor(2))
        journal.advance("archive", Cursor(3))
    return tmp_path


def written(home: Path) -> list[str]:
    file = home / "logs" / "out.jsonl"
    return [json.loads(line)["event_id"] for line in whole_lines(file)]


def letters(home: Path) -> list[str]:
    with reading(home / "state" / "helpdesk.db") as connection:
        return [one.name for one in dead_letters(connection)]


def daemon_on(home: Path, stand_in: PlatformThread) -> Daemon:
    return Daemon(home, domain=stand_in.url)


# tail


def test_tail_is_for_people(home: Path, commands: Commands) -> None:
    shown = commands.run("tail").out.splitlines()
    assert ["text of a", "text of b", "text of c"] == [line[-9:] for line in shown]
    assert "closed_by_bot" in shown[0]
    assert "\x1b" not in "".join(shown)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [(("-n", "1"), "c"), (("-n", "2"), "bc"), (("-n", "0"), ""), (("--since", "1h"), "abc"), (("--since", "0s"), "")],
)
def test_tail_of_some(home: Path, commands: Commands, arguments: tuple[str, ...], expected: str) -> None:
    shown = commands.run("tail", "--format", "record", *arguments).out.splitlines()
    assert [*expected] == [json.loads(line)["event_id"] for line in shown]


def tickets(home: Path) -> None:
    """Twenty messages more, of two tickets by turns and of three senders."""
    with opened(home / "state" / "helpdesk.db") as journal:
        for n in range(20):
            text = f"Refund {n}" if n % 5 == 0 else f"other {n}"
            one = payload(f"t{n}", text=text, sender_type=n % 3 + 1, ticket={"ticket_id": str(n % 2)})
            keep(journal, one)
        journal.advance("archive", Cursor(journal.last_seq))


@pytest.mark.parametrize("style", ["raw", "cloudevents"])
def test_tail_in_other_formats(home: Path, commands: Commands, style: str) -> None:
    line = json.loads(commands.run("tail", "-n", "1", "--format", style).out)
    assert "c" == (line["header"]["event_id"] if style == "raw" else line["id"])


def test_tail_without_a_journal_says_so(commands: Commands) -> None:
    done = commands.run("tail")
    assert (74, "", True) == (done.rc, done.out, "there is no journal" in done.err)


def test_tail_refuses_what_is_no_time(home: Path, commands: Commands) -> None:
    assert 2 == commands.run("tail", "--since", "soon").rc


def test_tail_follows_a_running_daemon_and_ends_on_ctrl_c(home: Path) -> None:
    with PlatformThread() as stand_in, daemon_on(home, stand_in) as daemon:
        daemon.ready()
        with Daemon(home, "tail", "-f", "-n", "1", "--format", "record") as tail:
            tail.until(lambda: len(tail.stdout) == 1, "the newest")
            delivery = stand_in.call(stand_in.platform.push, payload("new"))
            stand_in.call(delivery.acked)
            tail.until(lambda: len(tail.stdout) == 2, "the one that came")
            assert ["c", "new"] == [one["event_id"] for one in tail.records]
            tail.signal(2)
            assert 0 == tail.wait()


def test_tail_loads_neither_the_sdk_nor_a_terminal_library(home: Path) -> None:
    code = (
        "import sys; sys.argv = ['helpdesk-listen', 'tail']\n"
        "from listener.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: print([m for m in ('lark_oapi', 'rich', 'requests', 'websockets') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=home,
        env=environment(home, "http://127.0.0.1:1"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "[]" == done.stdout.splitlines()[-1]


# replay


def test_replay_without_a_daemon(home: Path, commands: Commands) -> None:
    assert 0 == commands.run("replay", "--sink", "archive", "--since", "1h").rc
    assert ["a", "b", "c"] == written(home)
    done = commands.run("replay", "--sink", "archive", "--event-id", "c", "--event-id", "a")
    assert (0, "") == (done.rc, done.out)
    assert ["a", "b", "c", "c", "a"] == written(home)
    lines = whole_lines(home / "logs" / "out.jsonl")
    assert (lines[2], lines[0]) == (lines[3], lines[4])  # the same bytes, the same seq
    assert ["a1"] == letters(home)  # "b" has been delivered after all


def test_replay_leaves_other_sinks_events_alone(home: Path, commands: Commands) -> None:
    commands.run("replay", "--sink", "archive", "--since", "1h")
    cursors = dict(rows(home / "state" / "helpdesk.db", "SELECT sink, seq FROM cursors"))
    assert {"archive": 3, "gone": 0} == cursors


@pytest.mark.parametrize(
    ("arguments", "rc", "what"),
    [
        ((), 2, "say which events"),
        (("--since", "1h", "--event-id", "a"), 2, "say which events"),
        (("--event-id", "nobody"), 1, "nobody: not in the journal"),
        (("--since", "0s"), 0, "nothing to replay"),
        (("--until", "1h"), 0, "nothing to replay"),
    ],
)
def test_replay_of_nothing(home: Path, commands: Commands, arguments: tuple[str, ...], rc: int, what: str) -> None:
    done = commands.run("replay", "--sink", "archive", *arguments)
    assert (rc, True) == (done.rc, what in done.err)
    assert [] == written(home)


def test_replay_to_an_unknown_sink(home: Path, commands: Commands) -> None:
    done = commands.run("replay", "--sink", "gone", "--since", "1h")
    assert (78, True) == (done.rc, "there are: archive" in done.err)


def test_a_running_daemon_carries_it_out(home: Path, commands: Commands) -> None:
    with PlatformThread() as stand_in, daemon_on(home, stand_in) as daemon:
        daemon.ready()
        done = commands.run("replay", "--sink", "archive", "--since", "1h", domain=stand_in.url)
        assert (0, True) == (done.rc, "the daemon" in done.err)
        daemon.until(lambda: written(home) == ["a", "b", "c"], "they are there", within=2.0)
        assert 0 == daemon.stop()
    assert [] == rows(home / "state" / "helpdesk.db", "SELECT * FROM orders")


@pytest.mark.slow
def test_an_order_that_was_not_finished_is_carried_out_by_the_next_daemon(home: Path) -> None:
    with opened(home / "state" / "helpdesk.db") as journal:
        with reading(journal.path) as connection:
            order, _ = redelivery.replay(connection, "archive", 0, redelivery.ALWAYS)
        journal.do(lambda connection: redelivery.place(connection, order))
    with PlatformThread() as stand_in, daemon_on(home, stand_in) as daemon:
        daemon.until(lambda: written(home) == ["a", "b", "c"], "they are there")
        assert 0 == daemon.stop()


# dead-letters


def test_list(home: Path, commands: Commands) -> None:
    shown = commands.run("dead-letters", "list").out.splitlines()
    assert ["1", "archive"] == shown[0].split()[:2]
    assert shown[0].endswith("3x  b  400 Bad Request")
    assert ["a1", "-"] == shown[1].split()[:2]
    assert "not JSON" in shown[1]
    assert shown[:1] == commands.run("dead-letters", "list", "--sink", "archive").out.splitlines()
    assert shown[1:] == commands.run("dead-letters", "list", "--sink", "-").out.splitlines()


def test_list_as_json(home: Path, commands: Commands) -> None:
    found = [json.loads(line) for line in commands.run("dead-letters", "list", "--json").out.splitlines()]
    assert [("1", "archive", 2, "b", 3), ("a1", "-", None, None, 1)] == [
        (one["id"], one["sink"], one["seq"], one["event_id"], one["attempts"]) for one in found
    ]


def test_retry_without_a_daemon(home: Path, commands: Commands) -> None:
    assert 0 == commands.run("dead-letters", "retry", "1").rc
    assert (["b"], ["a1"]) == (written(home), letters(home))


def test_retry_by_a_running_daemon(home: Path, commands: Commands) -> None:
    with PlatformThread() as stand_in, daemon_on(home, stand_in) as daemon:
        daemon.ready()
        assert 0 == commands.run("dead-letters", "retry", "--sink", "archive", domain=stand_in.url).rc
        daemon.until(lambda: letters(home) == ["a1"], "it is none any more", within=2.0)
        assert ["b"] == written(home)


def test_retry_of_a_payload_that_still_can_not_be_read(home: Path, commands: Commands) -> None:
    done = commands.run("dead-letters", "retry", "a1")
    assert "a1: still can't be read: not JSON" in done.err
    assert ["1", "a1"] == letters(home)


def test_retry_of_a_payload_that_can_be_read_by_now(home: Path, commands: Commands) -> None:
    """After an upgrade: it becomes an event, and comes to the sinks at the next start."""
    with opened(home / "state" / "helpdesk.db") as journal:
        insert = "INSERT INTO aside (received_ms, reason, payload) VALUES (7, 'an old bug', ?)"
        journal.do(lambda connection: connection.execute(insert, (payload("d"),)) and None)
    done = commands.run("dead-letters", "retry", "--sink", "-")
    assert "a2: read, and journalled" in done.err
    assert ["1", "a1"] == letters(home)
    assert [(4, "d", 7)] == rows(
        home / "state" / "helpdesk.db", "SELECT seq, event_id, received_ms FROM events WHERE seq > 3"
    )


def test_discard_does_nothing_unless_it_is_meant(home: Path, commands: Commands) -> None:
    done = commands.run("dead-letters", "discard", "--all")
    assert "would discard 2: 1 a1" in done.err
    assert ["1", "a1"] == letters(home)
    assert 0 == commands.run("dead-letters", "discard", "1", "--yes").rc
    assert ["a1"] == letters(home)
    assert 0 == commands.run("dead-letters", "discard", "--all", "--yes").rc
    assert [] == letters(home)
    assert "no dead letters" in commands.run("dead-letters", "list").err


@pytest.mark.slow
def test_discard_beside_a_running_daemon(home: Path, commands: Commands) -> None:
    with PlatformThread() as stand_in, daemon_on(home, stand_in) as daemon:
        daemon.ready()
        assert 0 == commands.run("dead-letters", "discard", "--all", "--yes", domain=stand_in.url).rc
        assert [] == letters(home)


@pytest.mark.parametrize("arguments", [(), ("9",), ("1", "--all"), ("a9",), ("x",)])
def test_say_which_ones(home: Path, commands: Commands, arguments: tuple[str, ...]) -> None:
    assert 2 == commands.run("dead-letters", "retry", *arguments).rc
    assert ["1", "a1"] == letters(home)


def test_check_tells_of_sinks_that_are_not_in_the_settings_any_more(home: Path, commands: Commands) -> None:
    shown = commands.run("check").out
    assert "gone: not in the settings" in shown
    assert "archive: not in the settings" not in shown


@pytest.mark.slow
def test_replay_of_many_takes_turns_with_new_events(home: Path) -> None:
    """And the commands' exit codes and order hold for thousands of events."""
    with opened(home / "state" / "helpdesk.db") as journal:
        journal.attach([("archive", True)])
        keep_ids(journal, *(f"e{n}" for n in range(2000)))
        journal.advance("archive", Cursor(journal.last_seq))
        journal.flush()
        with reading(journal.path) as connection:
            order, count = redelivery.replay(connection, "archive", 0, redelivery.ALWAYS)
        journal.do(lambda connection: redelivery.place(connection, order))
    assert 2003 == count
    with PlatformThread() as stand_in, daemon_on(home, stand_in) as daemon:
        daemon.ready()
        delivery = stand_in.call(stand_in.platform.push, payload("new"))
        stand_in.call(delivery.acked)
        daemon.until(lambda: len(written(home)) == 2004, "all are there")
        assert 0 == daemon.stop()
    assert ["a", "b", "c", *(f"e{n}" for n in range(2000))] == [one for one in written(home) if one != "new"]


@pytest.mark.parametrize(
    "arguments",
    [("forget", "--ticket-id"), ("forget", "--open-id"), ("replay", "--sink=one", "--event-id")],
    ids=" ".join,
)
def test_an_id_that_is_no_utf_8_is_refused(home: Path, commands: Commands, arguments: tuple[str, ...]) -> None:
    result = commands.run(*arguments, os.fsdecode(b"\xff"))
    assert (2, True) == (result.rc, "not UTF-8" in result.err)
