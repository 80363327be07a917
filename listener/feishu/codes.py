"""Translates the platform's refusals into errors. Pure. Source: the SDK's ws/const.py, and what was observed."""

from listener.base.errors import (
    CredentialsRefused,
    Refused,
    SessionError,
    TooManyConnections,
    Unreachable,
)

OK = 0
BUSY = {1, 1000040343, 514}
CREDENTIALS = {1000040344, 1000040345}
TOO_MANY = 1000040350
FORBIDDEN, AUTH_FAILED = 403, 514

_ASK_CREDENTIALS = "check feishu.app_id and the app secret in the console: 凭证与基础信息 / Credentials & Basic Info"
_ASK_OTHERS = (
    "another client of this app is connected and takes its share of the events: stop it, or use an app of its own"
)


def endpoint_error(code: int, message: str) -> SessionError:
    """Returns the error for the `code` of an endpoint answer that came with HTTP 200."""
    said = f"the platform answered code {code}: {message[:200]}"
    return Unreachable(said, cause="endpoint") if code in BUSY else _refusal(code, said)


def handshake_error(status: int, message: str, auth_code: int | None) -> SessionError:
    """Returns the error for a refused handshake: `Handshake-Status`, `-Msg` and `-Autherrcode` (None: not sent)."""
    said = f"the handshake was refused with {status}: {message[:200]}"
    if status == AUTH_FAILED and auth_code == TOO_MANY:
        return _refusal(TOO_MANY, said)
    if status == FORBIDDEN:
        return CredentialsRefused(said, cause="credentials", hint=_ASK_CREDENTIALS)
    if status == AUTH_FAILED or status >= 500:  # a stale ticket in the URL: the next attempt asks for a fresh one
        return Unreachable(said, cause="handshake")
    return _refusal(status, said)


def _refusal(code: int, said: str) -> SessionError:
    if code in CREDENTIALS:
        return CredentialsRefused(said, cause="credentials", hint=_ASK_CREDENTIALS)
    if code == TOO_MANY:
        return TooManyConnections(said, cause="connection_limit", hint=_ASK_OTHERS)
    return Refused(said, cause="refused", hint="this code is not documented; tried again slowly")
