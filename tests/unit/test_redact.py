"""Secrets in no line, and every line still readable."""

import pytest

from listener.base.redact import redact, remember

HIDDEN = {
    "wss://msg.feishu.cn/ws/v2?access_key=k&ticket=t": "wss://msg.feishu.cn/ws/v2?***",
    "connected to ws://127.0.0.1:1/ws/v2?a=b [conn_id=7]": "connected to ws://127.0.0.1:1/ws/v2?*** [conn_id=7]",
    "access_key=abc&x=y": "access_key=***&x=y",
    "the ticket=abc, the token=def": "the ticket=*** the token=***",
    "http://user:pass@proxy:1": "http://***@proxy:1",
    "HTTPS://user:p:a@proxy:1": "HTTPS://***@proxy:1",
    "socks5h://user:pass@proxy:1": "socks5h://***@proxy:1",
}
SHOWN = [
    "",
    "an address: someone@example.com",
    "https://open.feishu.cn/callback/ws/endpoint",
    "1 = 1",
    "https://host/path?x=1 for someone@example.com",
]


@pytest.mark.parametrize("text", HIDDEN)
def test_hidden(text: str) -> None:
    assert HIDDEN[text] == redact(text)


@pytest.mark.parametrize("text", SHOWN)
def test_shown_as_it_is(text: str) -> None:
    assert text == redact(text)


def test_a_remembered_secret_is_hidden_wherever_it_stands() -> None:
    remember("hunter-2-hunter")
    assert "it is ***." == redact("it is hunter-2-hunter.")


def test_a_short_secret_would_blank_out_ordinary_words() -> None:
    remember("event")
    assert "an event" == redact("an event")
