"""Defines the settings of the nats sink."""

import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from listener.settings.paths import BaseDirectory
from listener.settings.rules import Count, Text, is_loopback
from listener.settings.secrets import Secret
from listener.sinks.network import BatchLimits, NetworkConfig

WINDOW = 8 * 3600.0  # seconds that the stream must know ids for; the platform pushes an event again for 7.1 hours
TICKET = "{ticket_id}"
_WORD = r"[A-Za-z0-9_-]{1,64}"
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")


class Servers(msgspec.Struct, frozen=True):
    """Addresses of NATS servers; a user, a password or a token in them is shown nowhere."""

    right: str = 'a list of servers such as ["tls://nats.example:4222"]'

    def __call__(self, raw: object) -> tuple[Secret, ...]:
        if not isinstance(raw, list) or not raw:
            raise ValueError
        return tuple(map(self._one, raw))

    def _one(self, raw: object) -> Secret:
        parts = urlsplit(raw) if isinstance(raw, str) and raw.isprintable() and " " not in raw else None
        if not parts or parts.scheme not in ("nats", "tls") or not parts.hostname or parts.path.strip("/"):
            raise ValueError
        return Secret(str(raw), shown=f"{parts.scheme}://{parts.hostname}:{parts.port or 4222}")


class NatsConfig(NetworkConfig, frozen=True, kw_only=True):
    """The settings. With `create` the stream is made, and knows ids for long enough."""

    type: Literal["nats"] = "nats"
    servers: Annotated[tuple[Secret, ...], Servers()]
    stream: Annotated[str, Text(_WORD, 'a stream\'s name, such as "HELPDESK"')] = "HELPDESK"
    subject: Annotated[
        str,
        Text(rf"({_WORD}|{{ticket_id}})(\.({_WORD}|{{ticket_id}})){{0,9}}", 'a subject such as "helpdesk.{ticket_id}"'),
    ] = "helpdesk.{ticket_id}"
    create: bool = False
    credentials_file: Annotated[Path | None, BaseDirectory.CONFIG] = None
    allow_plaintext: bool = False
    batch: BatchLimits = BatchLimits(max_events=500)
    in_flight: Annotated[int, Count(1, 1024)] = 4

    def __post_init__(self) -> None:
        if self.proxy:
            raise ValueError("proxy is for HTTP: NATS is reached without one")
        parts = [urlsplit(one.reveal()) for one in self.servers]
        open_to_all = any(one.scheme == "nats" and not is_loopback(one.hostname or "") for one in parts)
        if open_to_all and not self.allow_plaintext:
            raise ValueError("nats:// is readable by anyone on the way: use tls://, or set allow_plaintext = true")

    def subject_for(self, ticket: str | None) -> str:
        """Returns the subject of events about this ticket, whose id may hold what no subject may."""
        return self.subject.replace(TICKET, _UNSAFE.sub("_", ticket or "_")[:64])
