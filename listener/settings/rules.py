"""Defines what settings accept: marks for `Annotated` that convert a TOML value or refuse it.

`keep: Annotated[float, Duration("1m", "3650d")]` reads "7d" as seconds. A rule's `right` completes "expected …" in the
message about a wrong value. `Env` and `paths.BaseDirectory` are marks for the reader itself.
"""

import ipaddress
import re
from typing import Protocol

import msgspec

from listener.settings.secrets import Secret
from listener.settings.values import parse_duration, parse_size

_HOST = r"(?P<host>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
_ADDRESS = re.compile(_HOST, re.IGNORECASE)
_ORIGIN = re.compile(rf"(?P<scheme>https?)://{_HOST}/*", re.IGNORECASE)
_PROXY = re.compile(rf"(?P<scheme>https?)://(?:(?P<user>[^\s/?#]*)@)?{_HOST}/*", re.IGNORECASE)


class Rule(Protocol):
    """Converts what TOML or the environment gave. Raises ValueError where it is not what `right` says."""

    @property
    def right(self) -> str: ...

    def __call__(self, raw: object) -> object: ...


class WrongItemError(ValueError):
    """An item of a list is not what the rule says; its `number` counts from 1. The item may be a secret: not shown."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Env(msgspec.Struct, frozen=True):
    """A mark that names the environment variable which beats the file; an empty one counts as unset."""

    name: str


class Duration(msgspec.Struct, frozen=True):
    """A rule for seconds, within limits; "never" is None where that is allowed."""

    at_least: str
    at_most: str
    never: bool = False

    @property
    def right(self) -> str:
        return f'a duration from {self.at_least} to {self.at_most}, such as "500ms", "30s", "10m", "2h" or "7d"' + (
            ', or "never"' if self.never else ""
        )

    def __call__(self, raw: object) -> float | None:
        if self.never and raw == "never":
            return None
        seconds = parse_duration(_text(raw))
        _check(parse_duration(self.at_least) <= seconds <= parse_duration(self.at_most))
        return seconds


class Size(msgspec.Struct, frozen=True):
    """A rule for bytes, within limits: a text with a unit, or a whole number."""

    at_least: str
    at_most: str

    @property
    def right(self) -> str:
        return f'a size from {self.at_least} to {self.at_most}, such as "100MiB", "10MB" or a number of bytes'

    def __call__(self, raw: object) -> int:
        size = raw if isinstance(raw, int) and not isinstance(raw, bool) else parse_size(_text(raw))
        _check(parse_size(self.at_least) <= size <= parse_size(self.at_most))
        return size


class Count(msgspec.Struct, frozen=True):
    """A rule for a whole number, within limits."""

    at_least: int
    at_most: int

    @property
    def right(self) -> str:
        return f"a whole number from {self.at_least} to {self.at_most}"

    def __call__(self, raw: object) -> int:
        if not isinstance(raw, int) or isinstance(raw, bool) or not self.at_least <= raw <= self.at_most:
            raise ValueError
        return raw


class Text(msgspec.Struct, frozen=True):
    """A rule for a text that a pattern matches whole."""

    pattern: str
    right: str

    def __call__(self, raw: object) -> str:
        return _match(re.compile(self.pattern), raw)[0]


class Texts(msgspec.Struct, frozen=True):
    """A rule for a list of texts that a pattern matches whole; `what` names them."""

    pattern: str
    what: str

    @property
    def right(self) -> str:
        return f"a list of {self.what}"

    def __call__(self, raw: object) -> tuple[str, ...]:
        if not isinstance(raw, list) or not raw:
            raise ValueError
        return tuple(dict.fromkeys(self._item(number, item) for number, item in enumerate(raw, 1)))

    def _item(self, number: int, item: object) -> str:
        try:
            return _match(re.compile(self.pattern), item)[0]
        except ValueError:
            raise WrongItemError(number) from None


class Origin(msgspec.Struct, frozen=True):
    """A rule for where the secret goes: `https://host[:port]`, or http to loopback. Lower case, no final slash."""

    right: str = (
        'an address such as "https://open.feishu.cn" or "https://open.larksuite.com", '
        "with no path, query or user; http only to localhost, 127.0.0.0/8 or [::1]"
    )

    def __call__(self, raw: object) -> str:
        match = _match(_ORIGIN, raw)
        _check(match["scheme"].lower() == "https" or is_loopback(match["host"].lower().strip("[]")))
        return match[0].rstrip("/").lower()


class Proxy(msgspec.Struct, frozen=True):
    """A rule for a proxy's URL, which is a secret since it may hold a password; it is shown without one."""

    right: str = 'a proxy such as "http://proxy.example:3128" or "http://user:password@proxy.example:3128"'

    def __call__(self, raw: object) -> Secret:
        match = _match(_PROXY, raw)
        url, user = match[0].rstrip("/"), match["user"]
        return Secret(url, shown=url if user is None else url.replace(f"{user}@", "***@", 1))


class Address(msgspec.Struct, frozen=True):
    """A rule for where a server listens: "host:port", the host a name or an address."""

    right: str = 'an address such as "127.0.0.1:8080", "[::1]:8080" or "0.0.0.0:8080"'

    def __call__(self, raw: object) -> str:
        match = _match(_ADDRESS, raw)
        _check(match["port"] is not None)
        return match[0]


def _text(raw: object) -> str:
    if not isinstance(raw, str):
        raise ValueError  # noqa: TRY004 (a rule has one way to refuse)
    return raw


def _check(holds: bool) -> None:
    if not holds:
        raise ValueError


def _match(pattern: re.Pattern[str], raw: object) -> re.Match[str]:
    match = pattern.fullmatch(_text(raw))
    if not match or not match[0].isprintable() or not _is_usable(match.groupdict()):
        raise ValueError
    return match


def _is_usable(url: dict[str, str]) -> bool:
    host, port = url.get("host") or "", url.get("port") or "1"
    if host.startswith("["):
        ipaddress.ip_address(host.strip("[]"))
    return 0 < int(port) < 65536


def is_loopback(host: str) -> bool:
    """Returns whether a name or an address, in lower case, never leads off this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
