"""Reads and checks a PostgreSQL server's address as libpq writes it, and shows it without its secrets. Pure."""

from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from listener.base.errors import ConfigError
from listener.base.redact import remember
from listener.settings.rules import is_loopback
from listener.settings.secrets import Secret

MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
OURS = ("sslmode", "sslrootcert", "sslcert", "sslkey", "target_session_attrs")


@dataclass(frozen=True)
class Dsn:
    """The address: `url` without what is in the other fields, `where` for people, `mode` as libpq's sslmode.

    Paths of certificates may be "".
    """

    url: Secret
    where: str
    mode: str
    target: str
    authorities: str = ""
    cert: str = ""
    key: str = ""


def read_dsn(text: str, *, allow_plaintext: bool) -> Dsn:
    """Returns the address. Raises ConfigError, which quotes none of it.

    Beyond this machine sslmode is verify-full unless it is given.
    """
    try:
        parts = urlsplit(text)
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        _ = parts.port if "," not in parts.netloc else None
    except ValueError:
        parts, options = urlsplit(""), {}
    if parts.scheme not in ("postgresql", "postgres"):
        raise ConfigError("dsn is not an address such as postgresql://user:password@db.example:5432/helpdesk")
    _hide(parts.netloc, options)
    hosts = (parts.netloc.rpartition("@")[2] or options.get("host", "")).split(",")
    local = all(_is_local(host) for host in hosts)
    mode = options.get("sslmode") or ("prefer" if local else "verify-full")
    _check(mode, local=local, allow_plaintext=allow_plaintext)
    rest = {name: value for name, value in options.items() if name not in OURS}
    return Dsn(
        Secret(urlunsplit(parts._replace(query=urlencode(rest, quote_via=quote)))),
        f"{','.join(hosts) or 'localhost'}{unquote(parts.path)}",
        mode,
        options.get("target_session_attrs", "read-write"),
        *(options.get(name, "") for name in ("sslrootcert", "sslcert", "sslkey")),
    )


def _check(mode: str, *, local: bool, allow_plaintext: bool) -> None:
    if mode not in MODES:
        raise ConfigError(f"sslmode in the dsn is none of {', '.join(MODES)}")
    if not local and mode in ("disable", "allow", "prefer") and not allow_plaintext:
        hint = "use sslmode=verify-full, or set allow_plaintext = true"
        raise ConfigError(f"with sslmode={mode} anyone on the way to the database may read along", hint=hint)


def _hide(netloc: str, options: dict[str, str]) -> None:
    user = netloc.rpartition("@")[0]
    for password in (user.partition(":")[2], options.get("password", "")):
        remember(password)
        remember(unquote(password))


def _is_local(hostspec: str) -> bool:
    """Returns whether a host, with or without a port, is this machine; a path, and none at all, is a Unix socket."""
    spec = unquote(hostspec)
    host = spec[1 : spec.find("]")] if spec.startswith("[") else spec.partition(":")[0]
    return not host or host.startswith("/") or is_loopback(host.lower())
