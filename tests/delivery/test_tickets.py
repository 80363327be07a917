"""Commands that mean a ticket, a sender or a person: tail, replay and forget."""

import json
import os
from pathlib import Path

import pytest

from listener.journal import Cursor
from listener.simulator import PlatformThread
from tests.daemon import Daemon
from tests.delivery.test_commands import daemon_on, home, tickets, written
from tests.inprocess import Commands, commands
from tests.journal.keeping import keep, opened, payload

__all__ = ["commands", "home"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--ticket", "1", "-n", "3"), "t15 t17 t19"),
        (("--grep", "refund"), "t0 t5 t10 t15"),
        (("--grep", "REFUND"), ""),
        (("--grep", "Refund 1[05]", "--ticket", "0"), "t10"),
        (("--sender", "guest", "-n", "2"), "t16 t19"),
        (("--sender", "guest", "--since", "1h", "--ticket", "0"), "t4 t10 t16"),
    ],
)
def test_tail_of_those_that_are_asked_for(
    home: Path, commands: Commands, arguments: tuple[str, ...], expected: str
) -> None:
    """The newest ten of them, not those among the newest ten."""
    tickets(home)
    shown = commands.run("tail", "--format", "record", *arguments).out.splitlines()
    assert expected.split() == [json.loads(line)["event_id"] for line in shown]


def test_tail_with_a_pattern_that_is_none(home: Path, commands: Commands) -> None:
    done = commands.run("tail", "--grep", "(")
    assert 2 == done.rc
    assert "not a regular expression" in done.err


def test_replay_of_a_ticket(home: Path, commands: Commands) -> None:
    tickets(home)
    done = commands.run("replay", "--sink", "archive", "--ticket", "1")
    assert 0 == done.rc, done.err
    assert "10 events replayed" in done.err
    assert [f"t{n}" for n in range(1, 20, 2)] == written(home)


@pytest.mark.slow
@pytest.mark.long
def test_a_replay_into_a_sink_that_never_comes_back_ends(home: Path) -> None:
    """Nobody reads the pipe, and it is full."""
    config = '[[sinks]]\nname = "out"\ntype = "stdout"\nstart = "earliest"\n'
    (home / "config.toml").write_text(config, encoding="utf-8")
    with opened(home / "state" / "helpdesk.db") as journal:
        journal.attach([("out", True)])
        keep(journal, *(payload(f"big{n}", text="x" * 20_000) for n in range(10)))
        journal.advance("out", Cursor(journal.last_seq))
    reader, writer = os.pipe()
    with Daemon(home, "replay", "--sink", "out", "--since", "1h", stdout=writer) as command:
        assert 74 == command.wait(60)
        assert command.said("has not come back for 30 s")
    os.close(reader)
    os.close(writer)


# forget


def test_forget_is_dry_unless_it_is_meant(home: Path, commands: Commands) -> None:
    tickets(home)
    done = commands.run("forget", "--ticket-id", "1")
    assert 0 == done.rc
    assert "would erase 10 events" in done.err
    assert "grep -v -F 1" in done.out
    assert 10 == commands.run("tail", "--ticket", "1", "--format", "raw", "-n", "99").out.count("\n")


def test_forget_erases_and_says_where_else_it_lies(home: Path, commands: Commands) -> None:
    tickets(home)
    done = commands.run("forget", "--ticket-id", "1", "--yes")
    assert "10 events erased" in done.err
    assert str(home / "logs" / "out.jsonl") in done.out
    assert "" == commands.run("tail", "--ticket", "1", "--format", "raw").out
    assert "would erase 0 events" in commands.run("forget", "--ticket-id", "1").err


def test_forget_says_of_every_kind_of_sink_what_is_to_be_done_there(home: Path, commands: Commands) -> None:
    tickets(home)
    others = (
        "[[sinks]]\nname = 'base'\ntype = 'postgresql'\ndsn = 'postgresql://127.0.0.1/x'\n"
        "[[sinks]]\nname = 'crm'\ntype = 'http'\nurl = 'http://127.0.0.1:1/'\n"
    )
    with (home / "config.toml").open("a") as config:
        config.write(others)
    by_ticket = commands.run("forget", "--ticket-id", "O'Hara").out
    assert "DELETE FROM helpdesk_events WHERE ticket_id = 'O''Hara';" in by_ticket
    assert "# crm: what the other end (http) keeps, it must erase itself" in by_ticket
    assert "grep -v -F 'O'\"'\"'Hara' " in by_ticket
    by_person = commands.run("forget", "--open-id", "ou_1", "--yes")
    assert "WHERE sender_open_id = 'ou_1';" in by_person.out
    assert "nothing of that is in the journal" in by_person.err


def test_forget_beside_a_running_daemon(home: Path, commands: Commands) -> None:
    tickets(home)
    with PlatformThread() as stand_in, daemon_on(home, stand_in) as daemon:
        daemon.ready()
        done = commands.run("forget", "--ticket-id", "1", "--yes", domain=stand_in.url)
        assert "10 events erased\n" in done.err
        assert not [f for f in (home / "state").glob("helpdesk.db*") if f.is_file() and b"other 19" in f.read_bytes()]
        assert 0 == daemon.stop()


@pytest.mark.parametrize("arguments", [(), ("--ticket-id", "1", "--open-id", "ou_1"), ("--ticket-id", "")])
def test_forget_wants_to_know_whose(home: Path, commands: Commands, arguments: tuple[str, ...]) -> None:
    assert 2 == commands.run("forget", *arguments).rc
