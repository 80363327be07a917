"""Verifies that a webhook request is the platform's, and unpacks it: signature, encryption, token, challenge. No I/O.

Source: the open platform's pages on receiving events at a server. The SDK's dispatcher does the same, but loads every
API, answers each forgery with 500 (so that it is pushed again), and knows no time limit; its cipher is used here.

What is trusted: with an encrypt key, what carries its signature; without one, what carries the verification token. The
challenge is never signed: it must be encrypted with the key, or carry the token.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from listener.event.payload import Unparsable, load
from listener.feishu.sdk import new_cipher

TIMESTAMP, NONCE, SIGNATURE = "X-Lark-Request-Timestamp", "X-Lark-Request-Nonce", "X-Lark-Signature"
MAX_CHALLENGE = 1024  # characters


class RequestRejected(Exception):
    """The request is not the platform's, or not for this app: nothing of it is kept. `status` is the HTTP answer."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True)
class Challenge:
    """The platform asks whether the address is ours, and wants this text back within 1 s."""

    text: str


class _Outside(msgspec.Struct):
    """The field of a body that stands outside the encryption."""

    encrypt: str | None = None


class _Callback(msgspec.Struct):
    """The fields that tell a challenge from an event, and the token of either; every type may be a lie."""

    type: Any = None
    challenge: Any = None
    token: Any = None
    header: Any = None


class Verifier:
    """Checks that a request comes from the platform, and decrypts it.

    `window` is the seconds that a signed request's time may be off. It is wide, since redelivery comes hours late;
    what comes twice is dropped as a duplicate.
    """

    def __init__(self, token: str | None, encrypt_key: str | None, *, window: float) -> None:
        self._token, self._key, self._window = token, encrypt_key, window
        self._cipher = new_cipher(encrypt_key) if encrypt_key else None

    def open(self, headers: Mapping[str, str], body: bytes, now: float) -> Challenge | bytes:
        """Returns the event's exact payload, or the challenge; `now` in Unix seconds. Raises RequestRejected."""
        signed = self._key is not None and SIGNATURE in headers
        if signed:
            self._check_signature(headers, body, now)
        payload, encrypted = self._decrypted(body)
        envelope = _envelope(payload)
        if envelope.type == "url_verification":
            self._check_token(envelope, required=not encrypted)
            return _challenge(envelope)
        if self._key is not None and not signed:
            raise RequestRejected(401, "not signed, though an encrypt key is configured")
        self._check_token(envelope, required=not signed)
        return payload

    def _check_signature(self, headers: Mapping[str, str], body: bytes, now: float) -> None:
        """Checks the signature, the hexadecimal sha256 of timestamp, nonce, encrypt key and raw body."""
        timestamp, nonce = headers.get(TIMESTAMP, ""), headers.get(NONCE, "")
        right = hashlib.sha256(f"{timestamp}{nonce}{self._key}".encode(errors="surrogateescape") + body).hexdigest()
        if not _same(right, headers[SIGNATURE]):
            raise RequestRejected(401, "the signature is wrong: is encrypt_key the app's?")
        if not timestamp.isascii() or not timestamp.isdecimal() or abs(now - _seconds(timestamp)) > self._window:
            raise RequestRejected(401, "the timestamp is too old: is this machine's clock right?")

    def _decrypted(self, body: bytes) -> tuple[bytes, bool]:
        """Returns (payload, whether it was encrypted with our key)."""
        try:
            secret = msgspec.json.decode(body, type=_Outside).encrypt
        except (ValueError, RecursionError):
            secret = None  # an event may be bytes that don't parse: they are quarantined
        if secret is None:
            return body, False
        if self._cipher is None:
            raise RequestRejected(401, "encrypted, but source.encrypt_key is not set")
        try:
            payload = self._cipher.decrypt(base64.b64decode(secret))
        except ValueError:
            raise RequestRejected(401, "can't be decrypted: is encrypt_key the app's?") from None
        return payload, True

    def _check_token(self, envelope: _Callback, *, required: bool) -> None:
        """Compares the verification token; it is `required` where nothing else vouches for the request."""
        header = envelope.header if isinstance(envelope.header, dict) else {}
        token = envelope.token or header.get("token")
        if not token and not required:
            return
        if self._token is None:
            if required:
                raise RequestRejected(401, "neither encrypted nor signed, and no verification token is configured")
        elif not isinstance(token, str) or not _same(self._token, token):
            raise RequestRejected(403, "the verification token is wrong")


def _challenge(envelope: _Callback) -> Challenge:
    text = envelope.challenge
    if not isinstance(text, str) or not 0 < len(text) <= MAX_CHALLENGE:
        raise RequestRejected(400, "a challenge without its text")
    return Challenge(text)


def _envelope(payload: bytes) -> _Callback:
    try:
        return msgspec.json.decode(payload, type=_Callback)
    except (ValueError, RecursionError):
        pass  # half an emoji is enough; what can be repaired still has its token
    try:
        repaired = load(payload)
    except Unparsable:
        return _Callback()
    return _Callback(token=repaired.get("token"), header=repaired["header"])


def _seconds(timestamp: str) -> float:
    """Returns the timestamp in seconds, as it is documented; one of 13 digits is in milliseconds."""
    return int(timestamp) / (1000 if len(timestamp) == 13 else 1) if len(timestamp) <= 13 else 0.0


def _same(right: str, given: str) -> bool:
    """Returns whether they are equal, in constant time, whatever characters were sent."""
    return hmac.compare_digest(right.encode(), given.encode(errors="surrogateescape"))
