"""Finds and reads secrets, and makes sure that they are shown nowhere.

A source is read again at each use, so that a rotated file needs no restart. The environment and the configuration's
text are held as they were when the settings were loaded.
"""

import os
import stat
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

import msgspec

from listener.base.errors import ConfigError
from listener.base.redact import remember

LIMIT = 4096  # bytes; a longer file is not a secret but a mistaken path


class Secret:
    """A text that no log, repr or error may show; `shown` stands in for it. It can't be serialised, by intent."""

    __slots__ = ("_text", "shown")

    def __init__(self, text: str, shown: str = "***") -> None:
        self._text = text
        self.shown = shown

    def reveal(self) -> str:
        """Returns the text itself."""
        return self._text

    @property
    def is_hidden(self) -> bool:
        """Returns whether there is something to hide; a proxy's URL without a password is no secret."""
        return self.shown != self._text

    def __repr__(self) -> str:
        return self.shown

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


class SecretKind(Enum):
    """Where a secret comes from; the first that is there wins."""

    ENV = "environment"
    CREDENTIAL = "credential"  # systemd's; a snapshot that only a restart refreshes
    FILE = "file"
    INLINE = "inline"


_REMEDIES = {
    SecretKind.ENV: "set the variable to the secret alone, or unset it",
    SecretKind.CREDENTIAL: "correct the file that the unit's LoadCredential names, then restart the service",
    SecretKind.FILE: "write the secret, and nothing else, into that file, mode 0600",
    SecretKind.INLINE: "write the secret, and nothing else, between the quotes",
}


class SecretSource(msgspec.Struct, frozen=True):
    """Where one secret is: `where` is a variable, a path or a setting; `held` is its text if there is no file."""

    kind: SecretKind
    where: str
    held: Secret | None = None

    def read(self) -> str:
        """Returns the secret as it is now, without surrounding blanks. Raises ConfigError."""
        try:
            secret = _clean(self._text())
        except FileNotFoundError:
            problem = "does not exist"
        except OSError as error:
            problem = f"can't be read: {error.strerror}"
        except UnicodeDecodeError:
            problem = "is not text in UTF-8"
        except ValueError as error:
            problem = str(error)
        else:
            remember(secret)
            return secret
        # Raised outside the handlers: a UnicodeDecodeError as context would carry the secret's bytes.
        raise ConfigError(f"{self._place()} {problem}", hint=_REMEDIES[self.kind])

    def describe(self) -> str:
        """Describes the source for people, with a file's mode: "file /etc/x/app_secret (0600)"."""
        return f"{self._place()} ({_mode(self.where)})" if self.kind is SecretKind.FILE else self._place()

    def _text(self) -> str:
        return self.held.reveal() if self.held else _read_regular(self.where).decode()

    def _place(self) -> str:
        match self.kind:
            case SecretKind.ENV | SecretKind.FILE:
                return f"{self.kind.value} {self.where}"
            case SecretKind.CREDENTIAL:
                return f"systemd credential {Path(self.where).name}"
        return self.where


def outside_source(name: str, variable: str, env: Mapping[str, str]) -> SecretSource | None:
    """Returns the source that beats the configuration file: the environment's `variable`, else credential `name`."""
    if text := env.get(variable):
        return SecretSource(SecretKind.ENV, variable, Secret(text))
    credential = Path(env.get("CREDENTIALS_DIRECTORY") or os.devnull, name)
    return SecretSource(SecretKind.CREDENTIAL, str(credential)) if os.path.lexists(credential) else None


def exposure(path: str | Path) -> str:
    """Returns a warning if others than the owner and a group that may only read get at the file, else ""."""
    try:
        status = os.stat(path)
    except OSError:
        return ""
    if not stat.S_ISREG(status.st_mode) or status.st_mode & 0o077 in (0, 0o040):
        return ""
    return f"{path} holds a secret and is open to others (mode {_mode(path)}): chmod 600 {path}"


def is_open_address(text: str) -> bool:
    """Returns whether that is a database's address without a password, which anyone may read."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    is_database = parts.scheme in ("postgresql", "postgres", "redis", "rediss")
    return is_database and not parts.password and "password" not in parts.query


def _read_regular(path: str) -> bytes:
    # Nonblocking, since opening a pipe that nobody writes to would wait for ever.
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(None, "not a regular file")
        return file.read(LIMIT + 1)


def _clean(text: str) -> str:
    secret = text.strip().removeprefix("\ufeff")
    if not secret:
        raise ValueError("is empty")
    if len(text.encode(errors="replace")) > LIMIT:
        raise ValueError(f"is longer than {LIMIT} bytes, which no secret is")
    if not secret.isprintable() or " " in secret:
        raise ValueError("holds more than a secret: blanks, several lines or control characters")
    return secret


def _mode(path: str | Path) -> str:
    try:
        return f"{stat.S_IMODE(os.stat(path).st_mode):04o}"
    except OSError as error:
        return (error.strerror or "unreadable").lower()


def holds_secrets(hint: Any) -> bool:
    """Returns whether a value of that type is a secret or holds some, such as a tuple of them."""
    return hint is Secret or any(holds_secrets(inner) for inner in get_args(hint))
