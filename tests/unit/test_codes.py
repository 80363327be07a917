"""What each refusal means: when to try again, and what the operator reads."""

import pytest

from listener.base.errors import CredentialsRefused, Pace, Refused, SessionError, TooManyConnections, Unreachable
from listener.feishu.codes import endpoint_error, handshake_error

ENDPOINT = {
    1: (Unreachable, Pace.SOON),
    1000040343: (Unreachable, Pace.SOON),
    514: (Unreachable, Pace.SOON),
    1000040344: (CredentialsRefused, Pace.FATAL),
    1000040345: (CredentialsRefused, Pace.FATAL),
    1000040350: (TooManyConnections, Pace.SLOW),
    403: (Refused, Pace.SLOW),
    99: (Refused, Pace.SLOW),
    -1: (Refused, Pace.SLOW),
}
HANDSHAKE = {
    (403, None): (CredentialsRefused, Pace.FATAL),
    (403, 1000040350): (CredentialsRefused, Pace.FATAL),
    (514, 1000040350): (TooManyConnections, Pace.SLOW),
    (514, 1000040346): (Unreachable, Pace.SOON),
    (514, None): (Unreachable, Pace.SOON),
    (500, None): (Unreachable, Pace.SOON),
    (503, None): (Unreachable, Pace.SOON),
    (418, None): (Refused, Pace.SLOW),
    (0, None): (Refused, Pace.SLOW),
}


@pytest.mark.parametrize("code", ENDPOINT)
def test_codes_of_the_endpoint(code: int) -> None:
    error = endpoint_error(code, "said the platform")
    assert ENDPOINT[code] == (type(error), error.pace)
    assert str(code) in str(error)
    assert "said the platform" in str(error)


@pytest.mark.parametrize("refusal", HANDSHAKE)
def test_refused_handshakes(refusal: tuple[int, int | None]) -> None:
    status, auth_code = refusal
    error = handshake_error(status, "said the platform", auth_code)
    assert HANDSHAKE[refusal] == (type(error), error.pace)
    assert f"{status}: said the platform" in str(error)


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (endpoint_error(1000040345, ""), "app secret"),
        (handshake_error(403, "", None), "app secret"),
        (handshake_error(514, "", 1000040350), "another client of this app"),
        (endpoint_error(12345, ""), "not documented"),
    ],
)
def test_the_hint_says_what_to_do(error: SessionError, word: str) -> None:
    assert word in error.hint


def test_a_long_message_is_cut() -> None:
    assert len(str(endpoint_error(1, "x" * 10_000))) < 300
