"""Keeps secrets out of every line that leaves the process: a last safeguard behind code that avoids them anyway."""

import re

_WS_QUERY = re.compile(r"(wss?://[^\s?'\"]+)\?[^\s'\"]*")
_PARAMETER = re.compile(r"\b(access_key|ticket|token|secret)=[^&\s'\"]+")
_USERINFO = re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^\s/@'\"]+@", re.IGNORECASE)
_known: set[str] = set()


def remember(secret: str) -> None:
    """Has `redact` hide this string from now on.

    A string of under 6 characters is not remembered, since hiding it would blank out ordinary words.
    """
    if len(secret) >= 6:
        _known.add(secret)


def redact(text: str) -> str:
    """Returns the text without connection queries, passwords in URLs and remembered secrets."""
    for secret in tuple(_known):  # another thread may remember one meanwhile
        if secret in text:
            text = text.replace(secret, "***")
    if "=" in text or "@" in text:
        text = _PARAMETER.sub(r"\1=***", _WS_QUERY.sub(r"\1?***", text))
        text = _USERINFO.sub(r"\1***@", text)
    return text
