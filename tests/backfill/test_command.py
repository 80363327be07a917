"""`backfill` where no daemon runs: it fetches, keeps each message once, and says what it found."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from listener.feishu.http_api import TICKETS_PATH
from listener.simulator import PlatformThread, faults, tickets_api
from tests.backfill.missed import CONFIG, message_ids, records, talk
from tests.daemon import Daemon
from tests.inprocess import Commands


@pytest.fixture(autouse=True)
def _config(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(CONFIG)
    (tmp_path / "config.toml").chmod(0o600)
    for directory in ("state", "logs"):
        (tmp_path / directory).mkdir()


def test_what_was_said_is_fetched_once_and_delivered_by_the_next_start(
    tmp_path: Path, stand_in: PlatformThread, commands: Commands
) -> None:
    ids = talk(stand_in, tickets=3, messages=10)
    first = commands.run("backfill", "--since", "2d", domain=stand_in.url)
    assert (0, True) == (first.rc, first.out.startswith("10 new messages of 10 in 3 tickets")), first.all
    assert "in seconds" in first.out
    second = commands.run("backfill", "--since", "2d", domain=stand_in.url)
    assert second.out.startswith("0 new messages of 10 in 3 tickets")
    with Daemon(tmp_path, domain=stand_in.url) as daemon:
        daemon.until(lambda: len(records(tmp_path)) == 10, "all records")
        assert 0 == daemon.stop()
    assert dict.fromkeys(ids, 1) == message_ids(tmp_path)
    record = records(tmp_path)[0]
    assert ("backfill", f"backfill:{ids[0]}") == (record["source"], record["event_id"])
    event = record["event"]
    assert ("text", "message 0", "ou_37019b7c830210acd88fdce886e25c71") == (
        event["msg_type"],
        event["text"],
        event["sender_id"]["open_id"],
    )
    assert ("processing", "message 0") == (event["ticket"]["status_name"], record["plain_text"])


def test_the_window_cuts_messages(stand_in: PlatformThread, commands: Commands) -> None:
    talk(stand_in, tickets=1, messages=23, hours=24)
    result = commands.run("backfill", "--since", "12h", "--until", "6h", domain=stand_in.url)
    assert result.out.startswith("6 new messages of 6 in 1 tickets"), result.all


@pytest.mark.parametrize(("unit", "name"), [(1000, "in seconds"), (1, "in milliseconds")])
def test_the_unit_of_times_is_found_out(stand_in: PlatformThread, commands: Commands, unit: int, name: str) -> None:
    stand_in.platform.api.message_time_unit = unit
    stand_in.platform.api.messages_key = "items"
    talk(stand_in, tickets=4, messages=8)
    result = commands.run("backfill", "--since", "2d", domain=stand_in.url)
    assert (True, True) == (result.out.startswith("8 new messages of 8"), name in result.out), result.all
    asked = [call for call in stand_in.platform.api_calls if call.path.endswith("/messages")]
    assert (4 if unit == 1000 else 5) == len(asked)


def test_a_dry_run_counts_and_changes_nothing(tmp_path: Path, stand_in: PlatformThread, commands: Commands) -> None:
    talk(stand_in, tickets=5, messages=9)
    result = commands.run("backfill", "--since", "2d", "--dry-run", domain=stand_in.url)
    assert (0, True) == (result.rc, result.out.startswith("5 tickets changed")), result.all
    assert not (tmp_path / "state" / "helpdesk.db").exists()


@pytest.mark.slow
def test_more_than_the_platforms_10000_rows_are_listed(stand_in: PlatformThread, commands: Commands) -> None:
    talk(stand_in, tickets=12_000, messages=12_000, hours=3)
    result = commands.run("backfill", "--since", "2d", "--dry-run", domain=stand_in.url)
    assert (0, True) == (result.rc, result.out.startswith("12000 tickets changed")), result.all
    assert "there may be more" not in result.err


@pytest.mark.slow
def test_a_second_with_more_than_10000_is_told(stand_in: PlatformThread, commands: Commands) -> None:
    talk(stand_in, tickets=10_100, messages=10_100, hours=0)
    result = commands.run("backfill", "--since", "1h", "--dry-run", domain=stand_in.url)
    assert (0, True) == (result.rc, result.out.startswith("10000 tickets changed")), result.all
    assert "there may be more: the platform lists 10000 tickets of a second at most" in result.err


@pytest.mark.slow
def test_a_list_that_repeats_its_first_page_ends_it_and_is_told(stand_in: PlatformThread, commands: Commands) -> None:
    stand_in.platform.api.repeats_pages = True
    talk(stand_in, tickets=250, messages=250)
    result = commands.run("backfill", "--since", "2d", domain=stand_in.url)
    assert (69, True) == (result.rc, result.out.startswith("200 new messages of 200 in 200 tickets")), result.all
    assert "listed 200 of 250 tickets, and then the same ones again" in result.out
    assert "messages may be missing" in result.err
    lists = [call for call in stand_in.platform.api_calls if call.path == TICKETS_PATH]
    assert len(lists) <= 14


def test_messages_that_repeat_their_first_page_are_told(stand_in: PlatformThread, commands: Commands) -> None:
    stand_in.platform.api.repeats_pages = True
    talk(stand_in, tickets=1, messages=201)
    result = commands.run("backfill", "--since", "2d", domain=stand_in.url)
    assert (69, True) == (result.rc, result.out.startswith("200 new messages of 200 in 1 tickets")), result.all
    assert "of ticket 7000000 200 of 201 messages were listed" in result.out
    stand_in.platform.api.repeats_pages = False
    again = commands.run("backfill", "--since", "2d", domain=stand_in.url)
    assert (0, True) == (again.rc, again.out.startswith("1 new messages of 201 in 1 tickets")), again.all


def test_a_ticket_that_was_deleted_meanwhile_is_told(stand_in: PlatformThread, commands: Commands) -> None:
    talk(stand_in, tickets=3, messages=6)
    path = f"{TICKETS_PATH}/7000001/messages"
    stand_in.platform.faults.api[path] = [faults.code(154002, "ticket not found", 404)]
    result = commands.run("backfill", "--since", "2d", domain=stand_in.url)
    assert result.out.startswith("4 new messages of 4 in 3 tickets"), result.all
    assert "1 tickets were deleted meanwhile" in result.out


@pytest.mark.parametrize("fault", [faults.http(500), faults.throttled(1), faults.HTML_PAGE, faults.RESET, faults.BUSY])
def test_a_platform_in_trouble_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, stand_in: PlatformThread, commands: Commands, fault: faults.Reply
) -> None:
    monkeypatch.setattr("listener.backfill.jobs.PAUSES", (0.01,))
    talk(stand_in, tickets=3, messages=6)
    stand_in.platform.faults.api |= {TICKETS_PATH: [fault], f"{TICKETS_PATH}/7000001/messages": [fault]}
    result = commands.run("backfill", "--since", "2d", domain=stand_in.url)
    assert result.out.startswith("6 new messages of 6 in 3 tickets"), result.all


def test_one_that_stays_down_ends_the_command_and_the_next_goes_on(
    monkeypatch: pytest.MonkeyPatch, stand_in: PlatformThread, commands: Commands
) -> None:
    monkeypatch.setattr("listener.backfill.jobs.PAUSES", (0.01,))
    talk(stand_in, tickets=3, messages=6)
    for ticket, times in enumerate((2, 1, 1)):
        stand_in.platform.faults.api[f"{TICKETS_PATH}/700000{ticket}/messages"] = [faults.http(500)] * times
    failed = commands.run("backfill", "--since", "2d", domain=stand_in.url)
    assert 69 == failed.rc, failed.all
    again = commands.run("backfill", "--since", "2d", domain=stand_in.url)
    assert (0, True) == (again.rc, again.out.startswith("0 new messages of 6")), again.all


def test_a_ticket_that_keeps_failing_holds_up_no_other_and_is_told(
    monkeypatch: pytest.MonkeyPatch, stand_in: PlatformThread, commands: Commands
) -> None:
    monkeypatch.setattr("listener.backfill.jobs.PAUSES", (0.01,))
    talk(stand_in, tickets=4, messages=8)
    for ticket in (0, 2):
        stand_in.platform.faults.api[f"{TICKETS_PATH}/700000{ticket}/messages"] = [faults.http(500)] * 4
    result = commands.run("backfill", "--since", "2d", domain=stand_in.url)
    assert (69, True) == (result.rc, result.out.startswith("4 new messages of 4 in 4 tickets")), result.all
    assert "can't be had: the platform answered HTTP 500" in result.out
    again = commands.run("backfill", "--since", "2d", domain=stand_in.url)
    assert (0, True) == (again.rc, again.out.startswith("4 new messages of 8 in 4 tickets")), again.all


@pytest.mark.parametrize("total", [None, "450", 0])
def test_a_total_that_is_no_help_loses_nothing(
    monkeypatch: pytest.MonkeyPatch, stand_in: PlatformThread, commands: Commands, total: object
) -> None:
    answers_with(monkeypatch, lambda data: data.update(total=total))
    talk(stand_in, tickets=1, messages=450)
    result = commands.run("backfill", "--since", "2d", domain=stand_in.url)
    assert (0, True) == (result.rc, result.out.startswith("450 new messages of 450 in 1 tickets")), result.all


def test_an_answer_without_a_list_is_no_empty_list(
    monkeypatch: pytest.MonkeyPatch, stand_in: PlatformThread, commands: Commands
) -> None:
    monkeypatch.setattr("listener.backfill.jobs.PAUSES", (0.01,))
    answers_with(monkeypatch, lambda data: data.update(messages={"0": 1}) if "messages" in data else None)
    talk(stand_in, tickets=1, messages=1)
    result = commands.run("backfill", "--since", "2d", domain=stand_in.url)
    assert (69, True) == (result.rc, "no list of messages" in result.err), result.all


def test_words_that_are_hardly_json_are_fetched_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stand_in: PlatformThread, commands: Commands
) -> None:
    """Else one guest's message would hold up the whole job, or be a dead letter in every sink."""

    def odd(data: dict[str, Any]) -> None:
        for number, content in enumerate(['{"content":"half \ud83d"}', '{"a":' * 120 + "1" + "}" * 120]):
            if "messages" in data:
                data["messages"][number]["content"] = content

    answers_with(monkeypatch, odd)
    talk(stand_in, tickets=1, messages=2)
    result = commands.run("backfill", "--since", "2d", domain=stand_in.url)
    assert (0, True) == (result.rc, result.out.startswith("2 new messages of 2")), result.all
    with Daemon(tmp_path, domain=stand_in.url) as daemon:
        daemon.until(lambda: len(records(tmp_path)) == 2, "both records")
        assert 0 == daemon.stop()
    assert ["half \ufffd", '{"a":{"a":'] == [
        records(tmp_path)[0]["event"]["text"],
        records(tmp_path)[1]["event"]["content"][:10],
    ]


def answers_with(monkeypatch: pytest.MonkeyPatch, change: Callable[[dict[str, Any]], object]) -> None:
    """Has the stand-in's lists changed before they go out."""
    page = tickets_api._page

    def changed(*arguments: Any) -> faults.Reply:
        answer = json.loads(page(*arguments).body)
        if "data" in answer:
            change(answer["data"])
        return faults.Reply(200, json.dumps(answer).encode())

    monkeypatch.setattr(tickets_api, "_page", changed)


def test_the_months_quota_ends_it_and_is_known_afterwards(stand_in: PlatformThread, commands: Commands) -> None:
    talk(stand_in, tickets=3, messages=6)
    stand_in.platform.api.quota = 3
    for _ in range(2):
        result = commands.run("backfill", "--since", "2d", domain=stand_in.url)
        assert (69, True) == (result.rc, "99991403" in result.err), result.all
    calls = [call for call in stand_in.platform.api_calls if "/helpdesk/" in call.path]
    assert 4 == len(calls)


def test_without_the_scope_it_says_where_to_open_it(stand_in: PlatformThread, commands: Commands) -> None:
    stand_in.platform.api.scopes.clear()
    result = commands.run("backfill", "--since", "2d", domain=stand_in.url)
    assert (78, True) == (result.rc, "helpdesk:all:readonly" in result.err), result.all


@pytest.mark.parametrize("arguments", [["--since", "1h", "--until", "2h"], ["--since", "2d", "--helpdesk-id", "1"], []])
def test_a_wrong_call_is_usage(stand_in: PlatformThread, commands: Commands, arguments: list[str]) -> None:
    assert 2 == commands.run("backfill", *arguments, domain=stand_in.url).rc
