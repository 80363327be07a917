"""The platform's answers are read whatever they hold, and an error repeats no secret."""

import pytest

from listener.base.errors import ConfigError, Unavailable
from listener.feishu import answers


def test_what_is_hardly_json_is_repaired() -> None:
    assert {"code": 0, "data": "\ufffd"} == answers.read(200, rb'{"code":0,"data":"\ud83d"}')


def test_what_no_sink_could_write_is_no_answer() -> None:
    with pytest.raises(Unavailable, match="not the platform's"):
        answers.read(200, b'{"code":0,"data":' + b"[" * 200 + b"]" * 200 + b"}")


def test_a_secret_is_hidden_however_it_is_written() -> None:
    with pytest.raises(ConfigError) as raised:
        answers.read(200, rb'{"code":5,"msg":"t-secret and \u0074-secret"}', hide="t-secret")
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(("told", "seconds"), [("3", 3.0), ("", 5.0), ("0", 5.0), ("-1", 5.0), ("9" * 5000, 5.0)])
def test_the_wait_that_is_asked_for_is_a_number(told: str, seconds: float) -> None:
    assert seconds == answers.wait_of(429, {"x-ogw-ratelimit-reset": told}, b"")
