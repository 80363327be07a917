"""Why a connection ended or never began, in words that hold no credential."""

from types import SimpleNamespace
from typing import Any

import pytest
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.http11 import Response

from listener.feishu.close_reasons import in_words, why_closed
from listener.feishu.websocket import MAX_MESSAGE

HUSH = "wss://host/ws?access_key=hush"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (InvalidStatus(Response(403, "Forbidden", Headers())), "HTTP 403"),
        (InvalidHandshake(HUSH), "the answer is no websocket handshake (InvalidHandshake)"),
        (ConnectionRefusedError(111, "Connection refused"), "[Errno 111] Connection refused"),
        (RuntimeError(HUSH), "RuntimeError"),
    ],
)
def test_a_handshake_that_failed(error: Exception, words: str) -> None:
    assert words == in_words(error)


@pytest.mark.parametrize(
    ("oversized", "code", "reason", "cause", "words"),
    [
        (MAX_MESSAGE + 1, 1009, "", "too_big", f"the platform sent a message of {MAX_MESSAGE + 1} bytes"),
        (None, None, "", "broken", "without a close frame"),
        (None, 1006, "", "broken", "without a close frame"),
        (None, 1009, "too big", "too_big", "a message of ours too large (close code 1009 too big)"),
        (None, 1001, "going away", "closed", "closed with 1001 going away"),
        (None, 1000, "", "closed", "closed with 1000"),
    ],
)
def test_an_open_connection_that_ended(
    oversized: int | None, code: int | None, *, reason: str, cause: str, words: str
) -> None:
    connection: Any = SimpleNamespace(oversized=oversized, close_code=code, close_reason=reason)
    lost = why_closed(connection)
    assert (cause, True) == (lost.cause, words in str(lost))
