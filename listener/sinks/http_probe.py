"""Checks that an http sink's other end can be reached: a TCP connection and TLS, and not a byte of HTTP."""

import socket
import ssl
from urllib.parse import urlsplit

from listener.base.errors import Unavailable
from listener.sinks.http import HttpConfig, signing_key
from listener.sinks.network import proxy_for, tls

SECONDS = 10.0


def connect(config: HttpConfig) -> str:
    """Connects, and returns a text that says so. Raises Unavailable without a connection, ConfigError for a secret."""
    if config.token:
        config.token.read()
    if config.secret:
        signing_key(config.secret.read())
    url = config.url.reveal()
    if proxy := proxy_for(url, config):
        _reach(proxy, config, secure=False)
        return f"{config.url}: its proxy can be reached"
    _reach(url, config, secure=urlsplit(url).scheme == "https")
    return f"{config.url} can be reached; nothing was sent"


def _reach(url: str, config: HttpConfig, *, secure: bool) -> None:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    try:
        with socket.create_connection((host, port), min(SECONDS, config.timeout)) as plain:
            if secure:
                context = tls(config, config.client_cert, config.client_key)
                context.wrap_socket(plain, server_hostname=host).close()
    except ssl.SSLError as e:
        hint = "a CA of your own goes into ca_file"
        raise Unavailable(f"sink {config.name}: {host}:{port}: TLS: {e.reason or e}", hint=hint) from e
    except OSError as e:
        raise Unavailable(f"sink {config.name}: {host}:{port}: {e.strerror or e}") from e
