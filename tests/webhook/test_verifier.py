"""Which requests are the platform's, and that nothing else gets past."""

import time

import pytest

from listener.sources.webhook_verifier import NONCE, SIGNATURE, TIMESTAMP, Challenge, RequestRejected, Verifier
from tests import samples
from tests.webhook.posts import KEY, TOKEN, challenge, encrypted, event, signed

DAY = 86_400.0


def verifier(token: str | None = TOKEN, key: str | None = KEY) -> Verifier:
    return Verifier(token, key, window=7 * DAY)


BOTH, TOKEN_ONLY, KEY_ONLY = verifier(), verifier(key=None), verifier(token=None)


def opened(one: Verifier, headers: dict[str, str], body: bytes) -> Challenge | bytes:
    return one.open(headers, body, time.time())


def rejection(one: Verifier, headers: dict[str, str], body: bytes) -> int:
    with pytest.raises(RequestRejected) as caught:
        opened(one, headers, body)
    assert KEY not in str(caught.value)
    assert TOKEN not in str(caught.value)
    return caught.value.status


@pytest.mark.parametrize("one", [BOTH, KEY_ONLY])
@pytest.mark.parametrize("payload", [event(), event(token=""), samples.encode(samples.bot_message())])
def test_encrypted_and_signed(one: Verifier, payload: bytes) -> None:
    assert payload == opened(one, *signed(encrypted(payload)))


@pytest.mark.parametrize("one", [BOTH, KEY_ONLY])
def test_signed_and_not_encrypted(one: Verifier) -> None:
    assert event() == opened(one, *signed(event()))


def test_plain_with_the_token() -> None:
    assert event() == opened(TOKEN_ONLY, {}, event())


@pytest.mark.parametrize("name", samples.repairable())
@pytest.mark.parametrize(("one", "wrap"), [(TOKEN_ONLY, lambda p: ({}, p)), (BOTH, lambda p: signed(encrypted(p)))])
def test_what_can_be_repaired_comes_as_it_was_sent(one: Verifier, wrap, name: str) -> None:  # type: ignore[no-untyped-def]
    payload, _ = samples.repairable()[name]
    assert payload == opened(one, *wrap(payload))


@pytest.mark.parametrize("name", samples.unparsable())
def test_what_cannot_be_read_comes_through_when_signed(name: str) -> None:
    payload, _ = samples.unparsable()[name]
    assert payload == opened(KEY_ONLY, *signed(encrypted(payload)))
    assert 401 == rejection(KEY_ONLY, {}, encrypted(payload))


def test_the_challenge() -> None:
    for one in (BOTH, TOKEN_ONLY):
        assert Challenge("ajls384kdjx98XX") == opened(one, {}, challenge())
    for one in (BOTH, KEY_ONLY):
        assert Challenge('say "hi"') == opened(one, {}, encrypted(challenge('say "hi"')))


@pytest.mark.parametrize(
    ("one", "body", "status"),
    [
        (BOTH, challenge(token="wrong"), 403),
        (BOTH, challenge(token=""), 403),
        (BOTH, encrypted(challenge(token="wrong")), 403),
        (KEY_ONLY, challenge(), 401),  # nothing vouches for it
        (BOTH, encrypted(challenge(), key="another"), 401),
        (TOKEN_ONLY, encrypted(challenge()), 401),
        (TOKEN_ONLY, challenge(text=""), 400),
        (TOKEN_ONLY, challenge(text="x" * 1025), 400),
    ],
)
def test_a_challenge_of_somebody_else(one: Verifier, body: bytes, status: int) -> None:
    assert status == rejection(one, {}, body)


@pytest.mark.parametrize("token", ["wrong", TOKEN[:-1], TOKEN + "x", "", "令牌", "\ud800"])
def test_a_wrong_token(token: str) -> None:
    body = event(token="TOKEN").replace(b"TOKEN", token.encode(errors="surrogatepass"))
    assert rejection(TOKEN_ONLY, {}, body) in (401, 403)


@pytest.mark.parametrize("raw", [b"null", b"7", b"[]", b"{}", b"true", b'["rvaYgkND1GOiu5MM0E1rncYC6PLtF7JV"]'])
def test_a_token_that_is_no_text(raw: bytes) -> None:
    body = event(token="TOKEN").replace(b'"TOKEN"', raw)
    assert 403 == rejection(TOKEN_ONLY, {}, body)


def test_a_wrong_token_in_a_signed_event() -> None:
    assert 403 == rejection(BOTH, *signed(encrypted(event(token="another app's"))))


@pytest.mark.parametrize("body", [event(), encrypted(event()), b"", b"hello", b'{"encrypt":7}'])
@pytest.mark.parametrize("one", [BOTH, KEY_ONLY])
def test_not_signed(one: Verifier, body: bytes) -> None:
    assert 401 == rejection(one, {}, body)


@pytest.mark.parametrize("change", [{SIGNATURE: "0" * 64}, {SIGNATURE: ""}, {NONCE: "other"}, {TIMESTAMP: "1"}])
def test_a_wrong_signature(change: dict[str, str]) -> None:
    headers, body = signed(encrypted(event()))
    assert 401 == rejection(BOTH, headers | change, body)


def test_a_signature_of_another_body_or_key() -> None:
    headers, _ = signed(encrypted(event(1)))
    assert 401 == rejection(BOTH, headers, encrypted(event(2)))
    assert 401 == rejection(BOTH, *signed(encrypted(event(), "another"), "another"))


@pytest.mark.parametrize("days", [0, 0.25, 6.9, -0.1])
def test_redelivery_within_the_window(days: float) -> None:
    assert event() == opened(BOTH, *signed(encrypted(event()), age=days * DAY))


@pytest.mark.parametrize("days", [7.1, 365, -7.1])
def test_a_stale_timestamp(days: float) -> None:
    assert 401 == rejection(BOTH, *signed(encrypted(event()), age=days * DAY))


@pytest.mark.parametrize("timestamp", ["", "yesterday", "-1", "1e9", "９", "9" * 40])
def test_a_timestamp_that_is_none(timestamp: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import hashlib

    body = encrypted(event())
    signature = hashlib.sha256(f"{timestamp}n{KEY}".encode() + body).hexdigest()
    assert 401 == rejection(BOTH, {TIMESTAMP: timestamp, NONCE: "n", SIGNATURE: signature}, body)


def test_an_unsigned_request_never_learns_about_the_padding() -> None:
    """Whatever is done to the ciphertext, the answer is the same one, so that nothing can be decrypted by asking."""
    good = encrypted(event())
    answers = set()
    for position in range(20, 120):
        body = good[:position] + (b"A" if good[position : position + 1] != b"A" else b"B") + good[position + 1 :]
        with pytest.raises(RequestRejected) as caught:
            opened(BOTH, {}, body)
        answers.add(caught.value.status)
    assert {401} == answers
