"""Finds the verification token, which no sink may see, wherever an envelope has it. Pure."""

from typing import Any, Final

_TOKENS: Final = frozenset({"token", "verification_token"})
_TOKEN_LENGTHS: Final = frozenset(map(len, _TOKENS))


def remove_tokens(*holders: Any) -> None:
    """Removes the token from each of these objects, and from the header of an envelope inside them."""
    for holder in holders:
        if holder:
            for name in token_names(holder):
                del holder[name]
            if type(holder) is dict and "header" in holder:  # an envelope in the envelope
                remove_tokens(holder["header"])


def token_names(holder: Any) -> list[str]:
    """Returns the names under which an object holds the token, in whatever case they are spelt."""
    if type(holder) is not dict:
        return []
    return [name for name in holder if len(name) in _TOKEN_LENGTHS and name.lower() in _TOKENS]
