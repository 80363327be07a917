"""subscribe and unsubscribe against the stand-in: the right outcome, words and exit code, and no secret shown."""

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from listener.feishu import http_api
from listener.simulator import PlatformThread, Reply, faults
from listener.simulator.openapi import SUBSCRIBE_PATH, TOKEN_PATH, UNSUBSCRIBE_PATH
from tests.inprocess import Commands, Result

HELPDESK, TOKEN = "6626871355780366331", "ht-demo-token"
OTHER, OTHER_TOKEN = "7000000000000000001", "ht-other-token"
MESSAGE = ("helpdesk.ticket_message", "ticket_message.created_v1")
CREATED = ("helpdesk.ticket", "ticket.created_v1")
OURS = {"FEISHU_HELPDESK_ID": HELPDESK, "FEISHU_HELPDESK_TOKEN": TOKEN}


def run(commands: Commands, stand_in: PlatformThread, *arguments: str, **env: str) -> Result:
    """The command, and that it shows no secret, whatever came of it."""
    result = commands.run(*arguments, domain=stand_in.url, **(OURS | env))
    credentials = [f"{HELPDESK}:{TOKEN}", f"{OTHER}:{OTHER_TOKEN}"]
    encoded = [base64.b64encode(text.encode()).decode() for text in credentials]
    for secret in ("demo-secret", TOKEN, OTHER_TOKEN, "wrong-token", *encoded, *stand_in.platform.api.tokens):
        assert secret not in result.all
    return result


def test_twice_over(commands: Commands, stand_in: PlatformThread) -> None:
    for command, kept in (("subscribe", {MESSAGE}), ("unsubscribe", set())):
        for _ in range(2):
            result = run(commands, stand_in, command)
            assert (0, "") == (result.rc, result.err)
            assert f"helpdesk {HELPDESK}" in result.out
            assert "helpdesk.ticket_message.created_v1" in result.out
            assert {HELPDESK: kept} == stand_in.platform.api.subscriptions


def test_the_request_is_the_documented_one(commands: Commands, stand_in: PlatformThread) -> None:
    run(commands, stand_in, "subscribe")
    request = stand_in.platform.api_calls[-1]
    assert {"events": [{"type": MESSAGE[0], "subtype": MESSAGE[1]}]} == json.loads(request.body)
    assert request.headers["authorization"].startswith("Bearer t-")
    assert "oapi-sdk-python" in request.headers["user-agent"]


def test_siblings_by_option_and_by_setting(commands: Commands, stand_in: PlatformThread) -> None:
    subscriptions = stand_in.platform.api.subscriptions
    assert 0 == run(commands, stand_in, "subscribe", "--event", "helpdesk.ticket.created_v1").rc
    assert {HELPDESK: {CREATED}} == subscriptions
    (commands.home / "config.toml").write_text(
        '[feishu]\nevents = ["helpdesk.notification.approve_v1", "helpdesk.ticket.updated_v1"]\n'
    )
    assert 0 == run(commands, stand_in, "subscribe").rc
    more = {("helpdesk.notification", "notification.approve_v1"), ("helpdesk.ticket", "ticket.updated_v1")}
    assert {HELPDESK: {CREATED} | more} == subscriptions


def test_an_event_that_is_not_known_is_a_usage_error(commands: Commands, stand_in: PlatformThread) -> None:
    result = run(commands, stand_in, "subscribe", "--event", "im.message.receive_v1")
    assert (2, []) == (result.rc, list(stand_in.platform.api_calls))
    assert "helpdesk.ticket.created_v1" in result.err


def with_token_files(home: Path, **tokens: str) -> Sequence[str]:
    arguments = []
    for name, token in tokens.items():
        file = home / f"token-{name}"
        file.write_text(token + "\n")
        arguments += ["--helpdesk-id", name.removeprefix("h"), "--token-file", str(file)]
    return arguments


def test_several_helpdesks(commands: Commands, stand_in: PlatformThread) -> None:
    stand_in.platform.api.helpdesks[OTHER] = OTHER_TOKEN
    options = with_token_files(commands.home, **{f"h{HELPDESK}": TOKEN, f"h{OTHER}": OTHER_TOKEN})
    result = run(commands, stand_in, "subscribe", *options, FEISHU_HELPDESK_ID="", FEISHU_HELPDESK_TOKEN="")
    assert (0, 2) == (result.rc, result.out.count("subscribed to"))
    assert {HELPDESK: {MESSAGE}, OTHER: {MESSAGE}} == stand_in.platform.api.subscriptions


def test_one_helpdesk_that_fails_leaves_the_other_its_turn(commands: Commands, stand_in: PlatformThread) -> None:
    options = with_token_files(commands.home, **{f"h{OTHER}": OTHER_TOKEN, f"h{HELPDESK}": TOKEN})
    result = run(commands, stand_in, "subscribe", *options)
    assert 78 == result.rc
    assert f"helpdesk {OTHER}: the platform answered code 154001" in result.err
    assert {HELPDESK: {MESSAGE}} == stand_in.platform.api.subscriptions


def test_an_id_without_its_token_is_a_usage_error(commands: Commands, stand_in: PlatformThread) -> None:
    result = run(commands, stand_in, "subscribe", "--helpdesk-id", OTHER)
    assert 2 == result.rc
    assert "--token-file" in result.err


@pytest.mark.parametrize("missing", ["FEISHU_HELPDESK_ID", "FEISHU_HELPDESK_TOKEN"])
def test_without_a_helpdesk_it_says_where_to_find_it(
    commands: Commands, stand_in: PlatformThread, missing: str
) -> None:
    result = run(commands, stand_in, "subscribe", **{missing: ""})
    assert 78 == result.rc
    assert "is not set" in result.err
    assert "API 凭证" in result.err


def test_the_token_comes_from_a_file_or_a_systemd_credential(commands: Commands, stand_in: PlatformThread) -> None:
    (commands.home / "secret").write_text(TOKEN)
    (commands.home / "config.toml").write_text('[feishu]\nhelpdesk_token_file = "secret"\n')
    assert 0 == run(commands, stand_in, "subscribe", FEISHU_HELPDESK_TOKEN="").rc
    (commands.home / "credentials").mkdir()
    (commands.home / "credentials" / "helpdesk_token").write_text("wrong-token")
    credentials = str(commands.home / "credentials")
    assert 78 == run(commands, stand_in, "subscribe", FEISHU_HELPDESK_TOKEN="", CREDENTIALS_DIRECTORY=credentials).rc


SCOPE_MISSING = faults.reply(
    {
        "code": 99991672,
        "msg": "Access denied. One of the following scopes is required: [helpdesk:all:readonly]",
        "error": {
            "log_id": "2026",
            "helps": [{"url": "https://open.feishu.cn/app/cli_a5ca1ab1e0ddba11/auth?q=helpdesk:all"}],
        },
    },
    400,
)
FIELDS = faults.reply(
    {
        "code": 99992402,
        "msg": "field validation failed",
        "error": {"field_violations": [{"field": "events", "description": "events is required"}]},
    },
    400,
)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (faults.code(154000, "Bad request", 400), (78, ["154000", "添加事件", "版本管理与发布"])),
        (faults.code(154001, "Unauthorized", 401), (78, ["154001", "API 凭证"])),
        (faults.code(154003, "no access", 403), (78, ["154003", "helpdesk:all:readonly"])),
        (faults.code(99991662, "app not in use", 400), (78, ["99991662", "版本管理与发布"])),
        (SCOPE_MISSING, (78, ["99991672", "2026", "https://open.feishu.cn/app/cli_a5ca1ab1e0ddba11/auth"])),
        (FIELDS, (78, ["99992402", "events is required", "添加事件"])),
        (faults.code(123456789, "what?", 400), (78, ["123456789", "what?", "error codes"])),
        (faults.code(155000, "Internal error", 500), (69, ["155000", "try again"])),
        (faults.http(502, b"<html>Bad Gateway</html>"), (69, ["HTTP 502", "try again"])),
        (faults.HTML_PAGE, (69, ["not the platform's", "doctor"])),
        (faults.EMPTY, (69, ["not the platform's"])),
        (faults.HUGE, (69, ["longer than"])),
        (faults.RESET, (69, ["127.0.0.1"])),
        (faults.redirect("http://127.0.0.1:9/"), (69, ["HTTP 307"])),
        (faults.reply({"code": "0"}), (69, ["not the platform's"])),
        (faults.reply([]), (69, ["not the platform's"])),
        (faults.raw(b"\x00\xff not HTTP\r\n\r\n"), (69, ["127.0.0.1"])),
    ],
)
def test_a_refusal_is_told_with_its_mend(
    commands: Commands, stand_in: PlatformThread, answer: Reply, expected: tuple[int, list[str]]
) -> None:
    rc, words = expected
    stand_in.platform.faults.api[SUBSCRIBE_PATH] = [answer]
    result = run(commands, stand_in, "subscribe")
    assert (rc, "") == (result.rc, result.out)
    for word in words:
        assert word in result.err
    assert 1 == [call.path for call in stand_in.platform.api_calls].count(SUBSCRIBE_PATH)


def test_a_refusal_to_unsubscribe(commands: Commands, stand_in: PlatformThread) -> None:
    stand_in.platform.faults.api[UNSUBSCRIBE_PATH] = [faults.code(154003, "no access", 403), faults.http(500)]
    assert [78, 69] == [run(commands, stand_in, "unsubscribe").rc for _ in range(2)]


def test_a_wrong_helpdesk_token(commands: Commands, stand_in: PlatformThread) -> None:
    result = run(commands, stand_in, "subscribe", FEISHU_HELPDESK_TOKEN="wrong-token")
    assert 78 == result.rc
    assert "154001" in result.err


def test_a_wrong_app_secret(commands: Commands, stand_in: PlatformThread) -> None:
    result = run(commands, stand_in, "subscribe", FEISHU_APP_SECRET="wrong-token")
    assert 78 == result.rc
    assert "凭证与基础信息" in result.err


@pytest.mark.parametrize("answer", [{"code": 0}, {"code": 0, "tenant_access_token": 7, "expire": "soon"}])
def test_a_tenant_token_that_is_none(commands: Commands, stand_in: PlatformThread, answer: Any) -> None:
    stand_in.platform.faults.api[TOKEN_PATH] = [faults.reply(answer)]
    result = run(commands, stand_in, "subscribe")
    assert 69 == result.rc
    assert "not the documented one" in result.err


def test_an_error_that_repeats_the_request_shows_no_secret(commands: Commands, stand_in: PlatformThread) -> None:
    stand_in.platform.api.tokens.append("t-known")
    stand_in.platform.faults.api[TOKEN_PATH] = [
        faults.reply({"code": 0, "tenant_access_token": "t-known", "expire": 7200})
    ]
    echo = base64.b64encode(f"{HELPDESK}:{TOKEN}".encode()).decode()
    stand_in.platform.faults.api[SUBSCRIBE_PATH] = [faults.code(154000, f"you sent t-known and {echo}, {TOKEN}", 400)]
    assert "you sent ***" in run(commands, stand_in, "subscribe").err


def test_throttled_it_waits_as_told(commands: Commands, stand_in: PlatformThread) -> None:
    stand_in.platform.faults.api[SUBSCRIBE_PATH] = [faults.throttled(1)]
    result = run(commands, stand_in, "subscribe")
    assert 0 == result.rc
    assert "asks to wait 1 s" in result.err
    calls = [call.path for call in stand_in.platform.api_calls]
    assert 2 == calls.count(SUBSCRIBE_PATH)


def test_throttled_for_longer_than_a_minute_it_gives_up(commands: Commands, stand_in: PlatformThread) -> None:
    stand_in.platform.faults.api[SUBSCRIBE_PATH] = [faults.throttled(3600)]
    result = run(commands, stand_in, "subscribe")
    assert 69 == result.rc
    assert "asks to wait 3600 s" in result.err


@pytest.mark.parametrize("answer", [faults.HANG, Reply(200, b'{"code":0,"msg":"success"}', drip=0.2)])
def test_a_platform_that_hangs_or_drips_ends_the_command(
    commands: Commands, stand_in: PlatformThread, monkeypatch: pytest.MonkeyPatch, answer: Reply
) -> None:
    monkeypatch.setattr(http_api, "REQUEST_SECONDS", 0.3)
    stand_in.platform.faults.api[SUBSCRIBE_PATH] = [answer]
    result = run(commands, stand_in, "subscribe")
    assert 69 == result.rc
    assert "no answer within 0.3 s" in result.err


def test_a_platform_that_is_not_there(commands: Commands, stand_in: PlatformThread) -> None:
    result = commands.run("subscribe", domain="http://127.0.0.1:9", **OURS)
    assert 69 == result.rc
    assert "127.0.0.1:9" in result.err
