"""What commands refuse: each says what is wrong, and its exit code says of what kind it is."""

import socket
from pathlib import Path

import pytest

from listener.cli.backfill import bar, line
from listener.journal.backfills import Backfill
from tests.inprocess import Commands
from tests.journal.keeping import keep_ids, opened


def sink(settings: str) -> str:
    return f"[[sinks]]\nname = 'one'\n{settings}\n"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (sink("type = 'exec'\ncommand = ['cat']\nin_flight = 2"), "leave in_flight out"),
        (sink("type = 'exec'\ncommand = ['cat']\nproxy = 'http://127.0.0.1:1'"), "give it what it needs by env"),
        ("[backfill]\nafter_outage = true", "feishu.helpdesk_id"),
        (
            "[feishu]\nevents = ['helpdesk.ticket.created_v1']\n" + sink("type = 'log'\nonly = {sender = ['guest']}"),
            "has a sender",
        ),
        ("sinks = 'archive'", "sinks"),
        ("feishu = 7", "feishu: expected a table"),
    ],
)
def test_settings_that_make_no_sense_are_78(commands: Commands, settings: str, said: str) -> None:
    (commands.home / "config.toml").write_text(settings)
    done = commands.run("check")
    assert (78, True) == (done.rc, said in done.err), done.all


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("start", "--forward-to", "localhost"), "--forward-to"),
        (("init", "no/such/folder/config.toml"), "No such file or directory"),
        (("simulator", "push", "nothing.json"), "nothing.json: No such file or directory"),
    ],
)
def test_words_that_lead_nowhere_are_78(commands: Commands, words: tuple[str, ...], said: str) -> None:
    done = commands.run(*words)
    assert (78, True) == (done.rc, said in done.err), done.all


def test_a_port_that_is_taken_is_69(commands: Commands) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = commands.run("simulator", "--port", port)
    assert (69, True) == (done.rc, f"127.0.0.1:{port} can't be listened on" in done.err), done.all


def test_where_nothing_is_a_dead_letter_nothing_is_retried(commands: Commands, tmp_path: Path) -> None:
    with opened(tmp_path / "state" / "helpdesk.db") as journal:
        keep_ids(journal, "a")
    done = commands.run("dead-letters", "retry", "--all")
    assert (0, "there are no dead letters to retry\n") == (done.rc, done.err)


@pytest.mark.parametrize(
    ("done", "ended", "expected"),
    [
        (0, None, "[..........] 0 of 40 tickets, 0 messages, 0 new"),
        (10, None, "[##........] 10 of 40 tickets, 0 messages, 0 new"),
        (40, 9, "[##########] 40 of 40 tickets, 0 messages, 0 new"),
    ],
)
def test_a_backfills_bar(done: int, ended: int | None, expected: str) -> None:
    job = Backfill(1, "", "", 0, 0, 0, "fetching", 40, done, 0, 0, 0, "", ended)
    assert expected == bar(job, width=10)


def test_before_it_knows_the_tickets_a_backfill_says_so() -> None:
    assert "looking for tickets that changed …" == line(
        Backfill(1, "", "", 0, 0, 0, "listing", 0, 0, 0, 0, 0, "", None)
    )
