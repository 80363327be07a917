"""Makes the http sink of `start --forward-to URL`, whose signing secret is made once and kept."""

import base64
import os
from pathlib import Path

from listener.settings.secrets import SecretKind, SecretSource
from listener.sinks.http import HttpConfig, Url

NAME, FILE = "forward-to", "forward_to_secret"


def forwarding(url: str, directory: Path) -> HttpConfig:
    """Returns the sink's settings. Raises ValueError for a wrong address, OSError where the secret can't be kept."""
    rule = Url()
    try:
        address = rule(url)
    except ValueError:
        raise ValueError(f"expected {rule.right}") from None
    _make_secret(directory / FILE)
    return HttpConfig(name=NAME, url=address, secret=SecretSource(SecretKind.FILE, str(directory / FILE)))


def _make_secret(path: Path) -> None:
    """Writes a new secret, readable by its owner only, and never over an existing one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        return
    with os.fdopen(fd, "w") as file:
        file.write(f"whsec_{base64.b64encode(os.urandom(32)).decode()}")
