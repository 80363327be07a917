"""What the platform posts: plain, encrypted, signed. Written from the documents, with the cipher's own library."""

import base64
import hashlib
import json
import time

from Crypto.Cipher import AES

from listener.sources.webhook_verifier import NONCE, SIGNATURE, TIMESTAMP
from tests import samples

TOKEN = samples.TOKEN
KEY = "kudryavka-encrypt-key"
Post = tuple[dict[str, str], bytes]
"""(headers, body)"""


def encrypted(payload: bytes, key: str = KEY) -> bytes:
    """{"encrypt": base64(iv16 + AES-256-CBC(payload, PKCS7))}, the key being SHA256(encrypt key)."""
    padding = 16 - len(payload) % 16
    iv = hashlib.md5(payload, usedforsecurity=False).digest()
    cipher = AES.new(hashlib.sha256(key.encode()).digest(), AES.MODE_CBC, iv)
    secret = iv + cipher.encrypt(payload + bytes([padding]) * padding)
    return json.dumps({"encrypt": base64.b64encode(secret).decode()}).encode()


def signed(body: bytes, key: str = KEY, *, age: float = 0.0, nonce: str = "n0nce") -> Post:
    """As sent `age` seconds ago."""
    timestamp = str(int(time.time() - age))
    signature = hashlib.sha256(f"{timestamp}{nonce}{key}".encode() + body).hexdigest()
    return {TIMESTAMP: timestamp, NONCE: nonce, SIGNATURE: signature}, body


def challenge(text: str = "ajls384kdjx98XX", token: str | None = TOKEN) -> bytes:
    """The check of the address."""
    return samples.encode({"challenge": text, "token": token, "type": "url_verification"})


def event(number: int = 0, token: str = TOKEN) -> bytes:
    """The document's example, with an identity of its own."""
    envelope = samples.example(event_id=f"event-{number:06}")
    envelope["header"]["token"] = token
    return samples.encode(envelope)
