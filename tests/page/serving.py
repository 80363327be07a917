"""A daemon with its page, a stand-in platform, and an end for the http sink that takes what it is told to take."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any

from listener.simulator import PlatformThread
from tests.daemon import Daemon
from tests.samples import example, ticket
from tests.service.manager import free_port

TOKEN = "open-sesame-0123456789"
CONFIG = """
[http]
listen = "127.0.0.1:{port}"
token_file = "page_token"
[journal]
keep = "30d"
[[sinks]]
name = "archive"
type = "file"
path = "tickets.jsonl"
start = "earliest"
[[sinks]]
name = "crm"
type = "http"
url = "http://127.0.0.1:{hook}/tickets"
"""
_numbers = count(1)


@dataclass
class Hook:
    """The other end of the http sink; it refuses the events whose body holds one of `refused`, fails at `failing`."""

    refused: list[bytes] = field(default_factory=list)
    failing: list[bytes] = field(default_factory=list)
    taken: list[bytes] = field(default_factory=list)
    port: int = 0

    @contextmanager
    def serving(self) -> Iterator["Hook"]:
        """On a free port, while inside."""
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = 422 if any(part in body for part in hook.refused) else 200
                status = 500 if any(part in body for part in hook.failing) else status
                if status == 200:
                    hook.taken.append(body)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(b"no customer of that name" if status == 422 else b"")

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


@dataclass
class Served:
    """What a test of the page needs."""

    home: Path
    port: int
    platform: PlatformThread
    daemon: Daemon
    hook: Hook

    @property
    def url(self) -> str:
        """The page's address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def unlocked(self) -> str:
        """The page's address, with the token for its buttons."""
        return f"{self.url}/#token={TOKEN}"

    def conversation(self, ticket_id: str = "7000000000000000001") -> str:
        """The address of a ticket's conversation."""
        return f"{self.url}/#/tickets/{ticket_id}"

    def push(
        self, text: str, ticket_id: str = "7000000000000000001", *, sender: int = 2, status: int = 2, wait: bool = True
    ) -> None:
        """Has the platform push a message, and waits for its ack."""
        event = example(f"page-{next(_numbers)}-{id(self)}", text=text, sender_type=sender)
        event["event"]["ticket"] = ticket(ticket_id=ticket_id, status=status)
        event["event"]["content"] = {"content": text, "msg_type": "text"}
        delivery = self.platform.call(self.platform.platform.push, event)
        if wait:
            self.platform.call(delivery.acked)

    def restart(self) -> None:
        """Stops the daemon and starts it again, on the same journal and the same port."""
        assert 0 == self.daemon.stop()
        self.daemon = Daemon(self.home, domain=self.platform.url, config=self._config())
        self.daemon.__enter__()
        self.daemon.ready(within=60)

    def _config(self) -> str:
        return (self.home / "config.toml").read_text(encoding="utf-8")


@contextmanager
def served(home: Path, *, http: bool = True, more: str = "") -> Iterator[Served]:
    """All of it, while inside; `http` False: the same without the page, `more`: what else stands in the settings."""
    (home / "page_token").write_text(TOKEN, encoding="utf-8")
    (home / "page_token").chmod(0o600)
    with PlatformThread(scale=0.01) as platform, Hook().serving() as hook:
        platform.platform.gateway.client_config |= {"ReconnectNonce": 0}
        port = free_port()
        config = (CONFIG if http else CONFIG[CONFIG.index("[journal]") :]).format(port=port, hook=hook.port) + more
        with Daemon(home, domain=platform.url, config=config) as daemon:
            daemon.ready(within=60)
            one = Served(home, port, platform, daemon, hook)
            try:
                yield one
            finally:
                if one.daemon is not daemon:
                    one.daemon.__exit__()
