"""`check --online` asks each sink's other end, and sends it no event and no message."""

import json
from pathlib import Path
from typing import Any

import pytest

from listener.simulator import PlatformThread
from listener.simulator.chats import DEMO_CHAT
from tests.inprocess import Commands, Result, commands, stand_in
from tests.network.receiving import Receiver
from tests.network.test_ways import pem, proxied, secure

__all__ = ["commands", "pem", "stand_in"]


def checked(commands: Commands, stand_in: PlatformThread, sink: str) -> Result:
    (commands.home / "config.toml").write_text(f"[[sinks]]\nname = 'team'\n{sink}\n")
    return commands.run("check", "--online", domain=stand_in.url)


def chat(url: str, more: str = "") -> str:
    return f"type = 'chat'\nservice = 'feishu'\nurl = '{url}'\n{more}"


@pytest.mark.parametrize(
    ("answer", "more", "rc", "said"),
    [
        ({"code": 9499, "msg": "Bad Request"}, "", 0, "the feishu bot answers; nothing was posted"),
        ({"code": 19021, "msg": "sign match fail"}, "", 78, "19021"),
        ({"code": 19001, "msg": "token invalid"}, "", 78, "19001"),
        ({"code": 19024, "msg": "Key Words Not Found"}, "", 78, "set `keyword`"),
        ({"code": 19024, "msg": "Key Words Not Found"}, "keyword = '值班'", 0, "wants a keyword, which is set"),
    ],
)
def test_a_chats_bot_is_asked_without_a_message(
    commands: Commands, stand_in: PlatformThread, *, answer: Any, more: str, rc: int, said: str
) -> None:
    with Receiver(lambda post: (200, {}, json.dumps(answer))) as end:
        result = checked(commands, stand_in, chat(end.url + "?hook=hush-hush", more))
        assert [""] == [post.events[0]["content"]["text"] for post in end.posts]
    assert (rc, True, False) == (result.rc, said in result.all, "hush-hush" in result.all)


def test_the_apps_bot_needs_a_token_alone(commands: Commands, stand_in: PlatformThread) -> None:
    result = checked(commands, stand_in, f"type = 'chat'\nservice = 'feishu'\nchat_id = '{DEMO_CHAT}'")
    assert (0, True) == (result.rc, "the app gets a token" in result.out)
    assert [] == stand_in.platform.api.chats.messages


def test_an_http_end_is_connected_to_and_gets_nothing(commands: Commands, stand_in: PlatformThread) -> None:
    with Receiver() as end:
        result = checked(commands, stand_in, f"type = 'http'\nurl = '{end.url}?key=hush-hush'")
        assert (0, []) == (result.rc, end.posts)
    assert "can be reached; nothing was sent" in result.out
    assert "hush-hush" not in result.all


@pytest.mark.parametrize("sink", ["type = 'http'\nurl = 'http://127.0.0.1:{}/'", chat("http://127.0.0.1:{}/hook")])
def test_an_end_that_is_not_there_is_told(commands: Commands, stand_in: PlatformThread, sink: str) -> None:
    with Receiver() as gone:
        port = gone.port
    result = checked(commands, stand_in, sink.format(port))
    assert (69, True) == (result.rc, "sink team" in result.err)


def test_the_place_of_each_sink_is_told_and_no_secret(commands: Commands, stand_in: PlatformThread) -> None:
    (Path(commands.home) / "bot").write_text("https://chat.example/hook-of-ours")
    sink = "type = 'chat'\nservice = 'wecom'\nurl_file = 'bot'"
    (commands.home / "config.toml").write_text(f"[[sinks]]\nname = 'team'\n{sink}\n")
    result = commands.run("check", domain=stand_in.url)
    assert (0, True, False) == (result.rc, "team: chat, record → wecom" in result.out, "hook-of-ours" in result.all)


def test_an_http_end_behind_tls_is_trusted_or_not(commands: Commands, stand_in: PlatformThread, pem: Path) -> None:
    with secure(pem) as end:
        refused = checked(commands, stand_in, f"type = 'http'\nurl = '{end.url}'")
        trusted = checked(commands, stand_in, f"type = 'http'\nurl = '{end.url}'\nca_file = '{pem / 'ca.pem'}'")
    assert (69, True) == (refused.rc, "TLS: " in refused.err and "ca_file" in refused.err), refused.all
    assert (0, True) == (trusted.rc, "can be reached; nothing was sent" in trusted.out), trusted.all


def test_of_an_http_end_behind_a_proxy_the_proxy_is_reached(commands: Commands, stand_in: PlatformThread) -> None:
    with proxied("user:pass-word") as proxy:
        sink = f"type = 'http'\nurl = 'https://far.example/hook'\nproxy = '{proxy.url}'"
        result = checked(commands, stand_in, sink)
        assert [] == list(proxy.requests)
    assert (0, True, False) == (result.rc, "its proxy can be reached" in result.out, "pass-word" in result.all)


@pytest.mark.parametrize(
    ("secret", "said"),
    [("token_file = 'none'", "none"), ("secret = 'whsec_short'", 'the signing secret is not "whsec_"')],
)
def test_a_secret_that_can_not_be_used_is_told(
    commands: Commands, stand_in: PlatformThread, secret: str, said: str
) -> None:
    result = checked(commands, stand_in, f"type = 'http'\nurl = 'http://127.0.0.1:1/'\n{secret}")
    assert (78, True) == (result.rc, said in result.err), result.all


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("url = 'ftp://127.0.0.1/'", "url"),
        ("url = 'https://a b/'", "url"),
        ("url = 'https://host:99999/'", "url"),
        ("url = 'http://far.example/'", "url is plain http"),
        ("url = 'https://a/'\nencoding = 'ndjson'\nformat = 'cloudevents'", "no media type for cloudevents"),
        ("url = 'https://me:hush@a/'\ntoken = 'hush'", "both go into the same header"),
        ("url = 'https://a/'\nclient_key = 'key.pem'", "client_key needs client_cert"),
        (
            "url = 'https://a/'\nheaders = {Content-Type = 'text/plain'}",
            "without the headers that the sink sets itself",
        ),
        ("url = 'https://a/'\nheaders = 'X-Team: hush'", "a table such as"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(commands: Commands, settings: str, said: str) -> None:
    (commands.home / "config.toml").write_text(f"[[sinks]]\nname = 'team'\ntype = 'http'\n{settings}\n")
    result = commands.run("check")
    assert (78, True, False) == (result.rc, said in result.err, "hush" in result.err), result.all


@pytest.mark.parametrize(
    ("settings", "rc", "said"),
    [
        ("", 0, "page       http://127.0.0.1:9464/, without buttons: they need http.token_file"),
        ("token_file = 'token'", 0, "the token for its buttons from "),
        ("token_file = 'nowhere'", 78, "nowhere"),
    ],
)
def test_where_the_page_is_and_whether_its_buttons_work(commands: Commands, settings: str, rc: int, said: str) -> None:
    (commands.home / "token").write_text("a-token-of-some-length")
    (commands.home / "token").chmod(0o600)
    (commands.home / "config.toml").write_text(f"[http]\nlisten = '127.0.0.1:9464'\n{settings}\n")
    result = commands.run("check")
    assert (rc, True) == (result.rc, said in result.all), result.all
