"""Why a connection ended or could not be opened, in words."""

from websockets.exceptions import InvalidHandshake, InvalidStatus, PayloadTooBig

from listener.base.errors import Lost
from listener.feishu.websocket import MAX_MESSAGE, FrameConnection

MESSAGE_TOO_BIG = 1009  # the websocket's close code


def why_closed(connection: FrameConnection) -> Lost:
    """Why the connection is no longer there."""
    code, error = connection.protocol.close_code, connection.protocol.parser_exc
    if isinstance(error, PayloadTooBig) or code == MESSAGE_TOO_BIG:
        return _too_big(error)
    if code is None or code == 1006:
        return Lost("the connection broke without a close frame", cause="broken")
    reason = (connection.protocol.close_reason or "")[:100]
    return Lost(f"closed with {code} {reason}".rstrip(), cause="closed")


def _too_big(error: Exception | None) -> Lost:
    """Says whose message was too large; of the platform's the size is known, since its header came before it."""
    hint = "the platform's events have a few thousand bytes: report this one, it is pushed again and refused again"
    if not isinstance(error, PayloadTooBig):
        return Lost("the platform found a message of ours too large (close code 1009)", cause="too_big", hint=hint)
    size = "unknown size" if error.size is None else f"{(error.cur_size or 0) + error.size} bytes"
    said = f"the platform sent a message of {size}; the limit is {MAX_MESSAGE} bytes"
    return Lost(said, cause="too_big", hint=hint)


def in_words(error: Exception) -> str:
    """What a library's error says, without what may hold a URL."""
    match error:
        case InvalidStatus():
            return f"HTTP {error.response.status_code}"
        case InvalidHandshake():
            return f"the answer is no websocket handshake ({type(error).__name__})"
        case OSError():
            return str(error)
        case _:
            return type(error).__name__
