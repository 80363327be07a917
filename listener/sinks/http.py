"""Posts events to an HTTP endpoint, signed as Standard Webhooks are where there is a secret.

One event a request, or with `batch.max_events` > 1 a JSON array (or lines). Only a 2xx counts as taken; what the other
answers mean is in `meaning`. The client is aiohttp, loaded when a sink is opened (http_client.py).
"""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import quote, urlsplit

import msgspec

from listener.base.errors import ConfigError
from listener.base.redact import remember
from listener.settings.paths import BaseDirectory
from listener.settings.rules import is_loopback
from listener.settings.secrets import Secret, SecretSource
from listener.sinks.network import Batch, ClientSink, NetworkConfig, clean
from listener.sinks.results import Delivered, Rejected, Result, TryAgain

if TYPE_CHECKING:
    from listener.sinks.http_client import HttpClient

LONGEST_WAIT = 3600.0  # seconds of a Retry-After that are obeyed
REJECTED = frozenset({400, 413, 415, 422})
_OWN = ("content-type", "content-length", "authorization", "webhook-id", "webhook-timestamp", "webhook-signature")


class Url(msgspec.Struct, frozen=True):
    """An http or https address; its user, password and query are shown nowhere."""

    right: str = 'an address such as "https://example.com/hooks/helpdesk"'

    def __call__(self, raw: object) -> Secret:
        parts = urlsplit(raw) if isinstance(raw, str) and raw.isprintable() and " " not in raw else None
        if not parts or parts.scheme not in ("http", "https") or not parts.hostname or parts.fragment:
            raise ValueError
        _ = parts.port  # raises ValueError where it is none
        shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        return Secret(str(raw), shown=shown + ("?***" if parts.query else ""))


class Headers(msgspec.Struct, frozen=True):
    """More headers of each request; their values are shown nowhere, since they may be credentials."""

    right: str = 'a table such as { "X-Team" = "helpdesk" }, without the headers that the sink sets itself'

    def __call__(self, raw: object) -> tuple[tuple[str, Secret], ...]:
        if not isinstance(raw, dict) or any(not self._fits(name, value) for name, value in raw.items()):
            raise ValueError
        return tuple((name, Secret(value)) for name, value in raw.items())

    def _fits(self, name: str, value: object) -> bool:
        token = name.replace("-", "").replace("_", "").isalnum() and name.isascii()
        return token and name.lower() not in _OWN and isinstance(value, str) and value.isascii() and value.isprintable()


class HttpConfig(NetworkConfig, frozen=True, kw_only=True):
    """The settings. `allow_http` permits plain http beyond this machine, where anyone on the way can read events."""

    type: Literal["http"] = "http"
    url: Annotated[Secret, Url()]
    allow_http: bool = False
    method: Literal["POST", "PUT", "PATCH"] = "POST"
    headers: Annotated[tuple[tuple[str, Secret], ...], Headers()] = ()
    token: SecretSource | None = None
    secret: SecretSource | None = None
    encoding: Literal["json", "ndjson"] = "json"
    client_cert: Annotated[Path | None, BaseDirectory.CONFIG] = None
    client_key: Annotated[Path | None, BaseDirectory.CONFIG] = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.url.reveal())
        if parts.scheme == "http" and not self.allow_http and not is_loopback(parts.hostname or ""):
            raise ValueError("url is plain http, which anyone on the way can read: use https, or set allow_http = true")
        if self.format == "cloudevents" and self.encoding == "ndjson":
            raise ValueError('encoding = "ndjson" has no media type for cloudevents: leave encoding out')
        if self.token and parts.username:
            raise ValueError("url holds a user and token is set: both go into the same header, so leave one out")
        if self.client_key and not self.client_cert:
            raise ValueError("client_key needs client_cert")


class HttpSink(ClientSink["HttpClient"]):
    def __init__(self, config: HttpConfig) -> None:
        super().__init__()
        self._config = config
        _hide(config)

    async def open(self) -> None:
        """Makes the client. Raises ConfigError or OSError where a secret or a certificate can't be read."""
        self._read_secrets()
        await super().open()

    async def deliver(self, batch: Batch) -> Sequence[Result]:
        if not self._fresh:
            self._read_secrets()  # the connections hold none of them, and stay
        client = await self._connected()
        body, headers = self._request(batch)
        answer = await client.send(self._config.method, self._config.url.reveal(), body, headers)
        result = answer if isinstance(answer, TryAgain) else meaning(*answer)
        self._doubt([result])
        return [result] * len(batch)

    def _new_client(self) -> "HttpClient":
        from listener.sinks.http_client import HttpClient

        config = self._config
        return HttpClient(config, config.url.reveal(), config.client_cert, config.client_key)

    def _read_secrets(self) -> None:
        config = self._config
        self._token = config.token.read() if config.token else None
        self._key = signing_key(config.secret.read()) if config.secret else None
        self._fresh = True

    def _request(self, batch: Batch) -> tuple[bytes, dict[str, str]]:
        config = self._config
        alone = config.batch.max_events == 1
        body, media = encode(batch, config.format, config.encoding, alone=alone)
        message = quote(batch[0].event.event_id, safe=":.~!*'()[]") if alone else batch.id
        headers = {name: value.reveal() for name, value in config.headers}
        headers |= {"Content-Type": media, "helpdesk-listen-attempt": str(max(one.attempt for one in batch))}
        if any(one.replayed for one in batch):
            headers["helpdesk-listen-replayed"] = "true"
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        return body, headers | signed(message, int(time.time()), body, self._key)


def encode(batch: Batch, form: str, encoding: str, *, alone: bool) -> tuple[bytes, str]:
    """Returns the body of a request and its media type; `alone`: one event, not an array of one."""
    cloud, lines = form == "cloudevents", [one.data for one in batch]
    if encoding == "ndjson":
        return b"".join(line + b"\n" for line in lines), "application/x-ndjson"
    if alone:
        return lines[0], "application/cloudevents+json" if cloud else "application/json"
    return b"[" + b",".join(lines) + b"]", "application/cloudevents-batch+json" if cloud else "application/json"


def signing_key(secret: str) -> bytes:
    """Returns the key in a secret of Standard Webhooks. Raises ConfigError."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not 24 <= len(key) <= 64:
        hint = "make one: python3 -c \"import base64,os; print('whsec_'+base64.b64encode(os.urandom(32)).decode())\""
        raise ConfigError('the signing secret is not "whsec_" and the base64 of 24 to 64 bytes', hint=hint)
    return key


def signed(message: str, timestamp: int, body: bytes, key: bytes | None) -> dict[str, str]:
    """Returns the headers of Standard Webhooks; without a key, those that tell a message from another."""
    headers = {"webhook-id": message, "webhook-timestamp": str(timestamp)}
    if key is not None:
        digest = hmac.new(key, f"{message}.{timestamp}.".encode() + body, hashlib.sha256).digest()
        headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
    return headers


def meaning(status: int, headers: Mapping[str, str], body: bytes) -> Result:
    """Returns what an answer says of the events, or of the endpoint."""
    if 200 <= status < 300:
        return Delivered()
    said = clean(body.decode("utf-8", "replace"))
    reason = f"HTTP {status}" + (f": {said}" if said else "")
    if status in REJECTED:
        return Rejected(reason)
    if status >= 500 or status in (408, 425, 429):
        after = retry_after(headers.get("Retry-After", ""), time.time())
        return TryAgain(reason, after, "event" if after is None and status != 429 else "endpoint")
    return TryAgain(reason, None, "endpoint", paused=True)  # 401, 403, 404, 410, a redirect: of the endpoint


def retry_after(text: str, now: float) -> float | None:
    """Returns the seconds to wait, from a number of seconds or a date; None if neither is there."""
    try:
        seconds = float(text) if text.strip().isdigit() else parsedate_to_datetime(text).timestamp() - now
    except (ValueError, TypeError, OverflowError):
        return None
    return min(LONGEST_WAIT, max(0.0, seconds))


def _hide(config: HttpConfig) -> None:
    parts = urlsplit(config.url.reveal())
    values: list[Any] = [parts.query, parts.password, *(value.reveal() for _, value in config.headers)]
    for text in filter(None, values):
        remember(text)
