"""Says in words why a connection ended, or never opened. Pure, but for the connection's own state that it reads."""

from websockets.exceptions import InvalidHandshake, InvalidStatus

from listener.base.errors import Lost
from listener.feishu.websocket import MAX_MESSAGE, FrameConnection

TOO_BIG = 1009  # RFC 6455, section 7.4.1
_TOO_BIG_HINT = (
    "the platform's events have a few thousand bytes: report this one; it is pushed again, and refused again"
)


def why_closed(connection: FrameConnection) -> Lost:
    """Returns how an open connection ended."""
    if connection.oversized is not None:
        said = f"the platform sent a message of {connection.oversized} bytes; the limit is {MAX_MESSAGE} bytes"
        return Lost(said, cause="too_big", hint=_TOO_BIG_HINT)
    code = connection.close_code
    if code is None or code == 1006:
        return Lost("the connection broke without a close frame", cause="broken")
    reason = connection.close_reason[:100]
    if code == TOO_BIG:
        said = f"the platform found a message of ours too large (close code {code} {reason})"
        return Lost(said, cause="too_big", hint=_TOO_BIG_HINT)
    return Lost(f"closed with {code} {reason}".rstrip(), cause="closed")


def in_words(error: Exception) -> str:
    """Returns why a handshake failed, without a text that may hold the connection's URL."""
    match error:
        case InvalidStatus():
            return f"HTTP {error.response.status_code}"
        case InvalidHandshake():
            return f"the answer is no websocket handshake ({type(error).__name__})"
        case OSError():
            return str(error)
        case _:
            return type(error).__name__
