"""Who may see the page and who may act, asked over real sockets and of the rules themselves."""

import time
from pathlib import Path
from typing import Any

import pytest

from listener.observe.hosts import is_local, is_ours
from listener.observe.http_server import Request
from listener.observe.page.access import REREAD, Access
from listener.settings.secrets import Secret, SecretKind, SecretSource
from tests.page.asking import JSON, ask, log_in, status
from tests.page.serving import TOKEN, Served


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1.evil.test",
        "evil.test",
        "localhost.evil.test",
        "[::1",
        "127.0.0.1@evil.test",
        "evil.test/127.0.0.1",
        "0x7f.1.evil.test",
    ],
)
def test_a_foreign_host_is_no_name_of_ours(host: str) -> None:
    assert not is_ours(host, "127.0.0.1:9464")


@pytest.mark.parametrize(
    ("host", "peer", "headers", "local"),
    [
        ("127.0.0.1:9464", "127.0.0.1", {}, True),
        ("localhost:9464", "::1", {}, True),
        ("[::1]:9464", "::ffff:127.0.0.1", {}, True),
        ("192.168.1.7:9464", "127.0.0.1", {}, False),
        ("127.0.0.1:9464", "192.168.1.9", {}, False),
        ("127.0.0.1:9464", "127.0.0.1", {"X-Forwarded-For": "203.0.113.9"}, False),
        ("127.0.0.1:9464", "", {}, False),
    ],
)
def test_who_is_on_this_machine(host: str, peer: str, headers: dict[str, str], local: bool) -> None:
    assert local is is_local(host, peer, headers)


def test_only_probes_are_answered_under_a_foreign_name_not_even_they(page: Served) -> None:
    for path in ("/", "/page.js", "/api/messages", "/api/stream", "/healthz"):
        assert 421 == status(page.port, "GET", path, Host="127.0.0.1.evil.test")


def test_on_this_machine_one_may_read_without_the_token_and_not_act(page: Served) -> None:
    page.push("hello")
    assert 200 == status(page.port, "GET", "/api/messages")
    for action in ("retry", "discard", "replay"):
        assert 401 == status(page.port, "POST", f"/api/{action}", {"sink": "crm"}, Origin=page.url, **JSON)


def test_beyond_this_machine_nothing_is_shown_without_the_token(page: Served) -> None:
    far = {"X-Forwarded-For": "203.0.113.9"}
    for name in ("messages", "event?seq=1", "letters", "pace", "numbers", "stream", "me"):
        assert 401 == status(page.port, "GET", f"/api/{name}", **far), name
    assert (200, 200, 200) == tuple(
        status(page.port, "GET", f"/{name}", **far) for name in ("healthz", "readyz", "metrics")
    )
    cookie = log_in(page).partition(";")[0]
    assert 200 == status(page.port, "GET", "/api/messages", Cookie=cookie, **far)


def test_the_cookie_is_for_this_page_alone_and_does_not_hold_the_token(page: Served) -> None:
    cookie = log_in(page)
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert TOKEN not in cookie


def test_an_action_needs_the_page_itself_the_token_and_json(page: Served) -> None:
    cookie = log_in(page).partition(";")[0]
    act = ("POST", "/api/retry", {"sink": "crm"})
    assert 200 == status(page.port, *act, Origin=page.url, Cookie=cookie, **JSON)
    assert 403 == status(page.port, *act, Cookie=cookie, **JSON)
    assert 403 == status(page.port, *act, Origin="http://127.0.0.1:1", Cookie=cookie, **JSON)
    assert 403 == status(page.port, *act, Origin="null", Cookie=cookie, **JSON)
    assert 403 == status(page.port, *act, Origin="http://evil.test", Cookie=cookie, **JSON)
    assert 403 == status(page.port, *act, Origin="http://[", Cookie=cookie, **JSON)
    assert 403 == status(page.port, *act, Origin=page.url, Sec_Fetch_Site="same-site", Cookie=cookie, **JSON)
    assert 415 == status(page.port, *act, Origin=page.url, Cookie=cookie, Content_Type="text/plain")
    assert 401 == status(page.port, *act, Origin=page.url, Cookie=cookie + "0", **JSON)
    name = cookie.partition("=")[0]
    assert 401 == status(page.port, *act, Origin=page.url, Cookie=f'{name}="\\262\\262.x"', **JSON)
    assert 405 == status(page.port, "GET", "/api/retry", Cookie=cookie)
    assert 413 == status(
        page.port, "POST", "/api/retry", {"sink": "x" * 70_000}, Origin=page.url, Cookie=cookie, **JSON
    )


def test_behind_a_proxy_with_tls_one_logs_in_and_acts(page: Served) -> None:
    proxied = {"X_Forwarded_Host": "desk.example", "X_Forwarded_For": "203.0.113.9", "X_Forwarded_Proto": "https"}
    answer, _ = ask(page.port, "POST", "/api/login", {"token": TOKEN}, Origin="https://desk.example", **JSON, **proxied)
    cookie = str(answer.getheader("Set-Cookie"))
    assert "; Secure" in cookie
    own = {"Cookie": cookie.partition(";")[0]} | JSON | proxied
    assert 200 == status(page.port, "POST", "/api/retry", {"sink": "crm"}, Origin="https://desk.example", **own)
    assert 403 == status(page.port, "POST", "/api/retry", {"sink": "crm"}, Origin="https://evil.test", **own)


@pytest.mark.parametrize(
    "body",
    [
        {"sink": "nobody"},
        {"sink": "crm", "ids": "all"},
        {"sink": "crm", "more": 1},
        [],
        {"sink": "crm", "ids": [1 << 80]},
    ],
)
def test_an_action_that_makes_no_sense_changes_nothing(page: Served, body: Any) -> None:
    cookie = log_in(page).partition(";")[0]
    assert status(page.port, "POST", "/api/retry", body, Origin=page.url, Cookie=cookie, **JSON) in (400, 409)
    assert 0 == page.daemon.said("Traceback")


@pytest.mark.parametrize(
    "query",
    [
        "messages?before=x",
        "event?seq=",
        "event?seq=" + "9" * 5000,
        "pace?offset=1e9",
        "messages?limit=-5&before=99999999999999999999",
    ],
)
def test_a_question_that_makes_no_sense_is_answered(page: Served, query: str) -> None:
    assert status(page.port, "GET", f"/api/{query}") in (200, 400, 404)
    assert 0 == page.daemon.said("Traceback")


def test_another_origin_may_not_read(page: Served) -> None:
    for header in (
        {"Origin": "http://evil.test"},
        {"Origin": "http://[::1"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ):
        assert 403 == status(page.port, "GET", "/api/messages", **header)
    answer, _ = ask(page.port, "GET", "/")
    policy = str(answer.getheader("Content-Security-Policy"))
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.getheader("Access-Control-Allow-Origin") is None


def test_nothing_is_beyond_loopback_where_no_token_is_set() -> None:
    access = Access(None, "9464")
    far = Request("GET", "/api/me", host="192.168.1.7:9464", peer="192.168.1.9")
    assert 403 == _run(access.refusal(far)).code


def test_a_new_token_ends_what_the_old_one_opened(tmp_path: Path) -> None:
    now = [0.0]
    file = tmp_path / "token"
    file.write_text("the-first-token-123456")
    access = Access(SecretSource(SecretKind.FILE, str(file)), "9464", clock=lambda: now[0])
    origin = {"Origin": "http://127.0.0.1:9464"}
    asked = Request("POST", "/api/login", host="127.0.0.1:9464", peer="127.0.0.1", headers=origin)
    given = _run(access.log_in(asked, "the-first-token-123456")).headers["Set-Cookie"]
    name, _, value = given.partition(";")[0].partition("=")
    with_cookie = Request("GET", "/", host="127.0.0.1:9464", peer="127.0.0.1", cookies={name: value})
    assert _run(access.may_act(with_cookie))
    file.write_text("another-token-1234567")
    now[0] += REREAD
    assert _run(access.may_act(with_cookie)), "the file is not read for every request"
    now[0] += 0.1
    assert not _run(access.may_act(with_cookie))


def test_a_cookie_ends_with_its_week(monkeypatch: pytest.MonkeyPatch) -> None:
    access = Access(SecretSource(SecretKind.INLINE, "test", Secret("a-token-of-some-length")), "1")
    origin = {"Origin": "http://127.0.0.1:1"}
    asked = Request("POST", "/api/login", host="127.0.0.1:1", peer="127.0.0.1", headers=origin)
    name, _, value = (
        _run(access.log_in(asked, "a-token-of-some-length")).headers["Set-Cookie"].partition(";")[0].partition("=")
    )
    later = time.time() + 8 * 86_400
    monkeypatch.setattr(time, "time", lambda: later)
    assert not _run(access.may_act(Request("GET", "/", cookies={name: value})))


def _run(coroutine: Any) -> Any:
    import asyncio

    return asyncio.run(coroutine)
