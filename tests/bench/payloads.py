"""Ticket messages under ids that never came before."""

import secrets

from tests.samples import comment, encode, example, ticket

# The document's example with `comments` as a list, the one shape that the sample can take.
_BEFORE, _AFTER = encode(example("@@", ticket=ticket(comments=[comment()]))).split(b"@@")


def new_id() -> str:
    """As the platform's: 32 random hex digits."""
    return secrets.token_hex(16)


def payload(event_id: str) -> bytes:
    return b"%b%b%b" % (_BEFORE, event_id.encode(), _AFTER)


def fresh_payload() -> bytes:
    return payload(new_id())
