"""Checks the way to the platform and the platform: proxy, name, TLS, clock, credentials, connection, helpdesk."""

import socket
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from listener.base.clock import now_ms
from listener.base.errors import ListenError
from listener.base.redact import redact
from listener.doctor.examination import Examination
from listener.doctor.report import Check, Finding, ok
from listener.feishu.http_api import helpdesk_of
from listener.feishu.probe import ask_endpoint, shake_hands
from listener.feishu.tickets import TicketsApi
from listener.feishu.transport import BoundedRequests
from listener.settings.config import calling_settings

CLOCK_WARNING, CLOCK_FAILED = 30.0, 300.0  # seconds


def platform_checks(case: Examination) -> Iterator[Check]:
    """Yields the checks of the platform's side; clients are counted before the doctor itself connects."""
    yield Check("proxy", lambda: _proxy(case), ("settings",))
    yield Check("name", lambda: _name(case), ("proxy",))
    yield Check("tls", lambda: _tls(case), ("name",), 10.0)
    yield Check("clock", lambda: _clock(case), ("tls",))
    yield Check("tenant token", lambda: _tenant_token(case), ("secret", "tls"), 10.0)
    if case.settings.source.type == "webhook":
        yield Check("webhook", lambda: _webhook(case), ("settings",))
    else:
        yield Check("clients", lambda: _clients(case), ("tenant token",), 10.0)
        yield Check("endpoint", lambda: _endpoint(case), ("secret", "tls"), 10.0)
        yield Check("connection", lambda: _connection(case), ("endpoint",), 15.0)
    yield Check("helpdesk", lambda: _helpdesk(case), ("tenant token",), 10.0)
    if calling := calling_settings(case.settings.enrich, case.settings.backfill):
        yield Check("scopes", lambda: _scopes(case, calling), ("helpdesk",), 15.0)


def _proxy(case: Examination) -> Finding:
    """Checks that both legs, the calls and the socket, go the same way."""
    calls, connection = (case.network.proxy_for(url) for url in (case.domain, case.socket_url))
    if calls != connection:
        detail = f"calls go {_through(calls)}, the connection {_through(connection)}"
        return Finding("warning", detail, "NO_PROXY should name both open.… and msg-frontier.…, or neither")
    if calls is not None:
        _connect(
            urlsplit(calls).hostname or "", urlsplit(calls).port or 80, "the proxy", "feishu.proxy, or HTTPS_PROXY"
        )
    return ok(f"both legs go {_through(calls)}")


def _through(proxy: str | None) -> str:
    return redact(f"through {proxy}") if proxy else "directly"


def _name(case: Examination) -> Finding:
    if case.network.proxy_for(case.domain):
        return ok("the proxy resolves the platform's name")
    host = urlsplit(case.domain).hostname or ""
    began = time.monotonic()
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as e:
        raise ListenError(
            f"{host} can't be resolved: {e.strerror or e}", hint="check feishu.domain and this machine's DNS servers"
        ) from e
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    more = f" and {len(addresses) - 1} more" if len(addresses) > 1 else ""
    return ok(f"{host} is {addresses[0]}{more}, in {(time.monotonic() - began) * 1000:.0f} ms")


def _tls(case: Examination) -> Finding:
    """Requests the front page; any answer will do. Raises Unreachable."""
    case.answer = BoundedRequests(case.network).request("GET", f"{case.domain}/")
    if case.domain.startswith("http:"):
        return ok("plain http, to this machine only")
    return ok(f"the certificate is good, by the authorities in {case.network.ca_bundle()}")


def _clock(case: Examination) -> Finding:
    try:
        date = parsedate_to_datetime(case.answer.headers["Date"] if case.answer else "").timestamp()
    except (KeyError, ValueError):
        return Finding("warning", "the platform's answer has no date", "compare this machine's clock by other means")
    off = time.time() - date
    detail = f"{abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} the platform's"
    if abs(off) <= CLOCK_WARNING:
        return ok(f"within {max(1, round(abs(off)))} s of the platform's")
    return Finding("failed" if abs(off) > CLOCK_FAILED else "warning", detail, "set it: timedatectl set-ntp true")


def _tenant_token(case: Examination) -> Finding:
    case.api.tenant_token()
    return ok("app id and secret open the APIs")


def _clients(case: Examination) -> Finding:
    online, expected = case.api.online_clients(), case.settings.feishu.expected_clients
    detail = f"{online} online, {expected} expected"
    if online > expected:
        remedy = "each event goes to one of them at random: stop the others, or raise feishu.expected_clients"
        return Finding("failed", detail, remedy)
    return ok(detail)


def _endpoint(case: Examination) -> Finding:
    return ok(f"hands out a connection URL at {ask_endpoint(case.settings.feishu)}")


def _connection(case: Examination) -> Finding:
    """Opens a connection, and refuses what is pushed to it meanwhile, so that it comes again."""
    seconds = shake_hands(case.settings.feishu)
    return ok(f"opened, and the ping answered in {seconds * 1000:.1f} ms")


def _webhook(case: Examination) -> Finding:
    """Checks that something answers at the address; the platform's way there can't be seen from inside."""
    source = case.settings.source
    host, _, port = source.listen.rpartition(":")
    host = {"0.0.0.0": "127.0.0.1", "[::]": "::1"}.get(host, host.strip("[]"))  # noqa: S104 it is where we go, not listen
    _connect(host, int(port), "source.listen", "helpdesk-listen start")
    return ok(f"something listens on {source.listen}; the reverse proxy must pass {source.path} on to it")


def _helpdesk(case: Examination) -> Finding:
    helpdesks = case.wanted_helpdesks()
    if not helpdesks:
        remedy = "set feishu.helpdesk_id and feishu.helpdesk_token, then: helpdesk-listen subscribe"
        return Finding("warning", "none is configured: whether its events are subscribed is unknown", remedy)
    for helpdesk in helpdesks:
        case.api.check_helpdesk(helpdesk)
    names = ", ".join(helpdesk.id for helpdesk in helpdesks)
    return ok(
        f"{names}: token and scope are right (whether it is subscribed can't be asked; subscribing again is safe)"
    )


def _scopes(case: Examination, calling: list[str]) -> Finding:
    """Calls what these settings will call, as far as that changes nothing. Raises ListenError."""
    api = TicketsApi(case.api, helpdesk_of(case.settings.feishu))
    now = now_ms()
    _, tickets = api.tickets("create_time", now - 30 * 86_400_000, now, 1)
    api.option_names()
    called = ["tickets", "customized fields"]
    if tickets:
        ticket_id = str(tickets[0].get("ticket_id"))
        api.ticket(ticket_id)
        api.messages(ticket_id, None, 1)
        called += ["one ticket", "its messages"]
    return ok(f"{', '.join(calling)}: the scope is granted (called: {', '.join(called)})")


def _connect(host: str, port: int, what: str, setting: str) -> None:
    """Opens a TCP connection and closes it. Raises ListenError."""
    try:
        socket.create_connection((host, port), timeout=3.0).close()
    except OSError as e:
        raise ListenError(
            f"{what} at {host}:{port} can't be reached: {e.strerror or e}", hint=f"check {setting}"
        ) from e
