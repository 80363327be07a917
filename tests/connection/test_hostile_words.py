"""A proxy's, the platform's and an endpoint's words hold escapes, and none of them reaches a terminal or a log raw."""

import json
import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from listener.simulator import PlatformThread
from tests.connection.listening import FEISHU
from tests.daemon import Daemon
from tests.inprocess import Commands, commands

__all__ = ["commands"]
SAID = "go away"
WORDS = f"\x1b]0;owned\x07\x1b[2J\x9b31m{SAID}\u202e\u2066\u061c\u200b\U000e0041"
RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\U000e0000-\U000e007f]")


def clean(text: str) -> bool:
    """Whether the words are in it, and nothing that a terminal would obey."""
    return SAID in text and not RAW.search(text)


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """A server that says this to whoever calls; yields its port."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)
            self.request.sendall(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def shown(commands: Commands, domain: str, **env: str) -> dict[str, str]:
    """What each command that tells of the connection prints."""
    looks = {"status": ("status",), "status --json": ("status", "--json"), "doctor": ("doctor",)}
    looks |= {"doctor --json": ("doctor", "--json"), "check": ("check", "--online")}
    return {name: commands.run(*look, domain=domain, **env).all for name, look in looks.items()}


def test_a_close_frames_reason(tmp_path: Path, commands: Commands) -> None:
    with PlatformThread() as stand_in, Daemon(tmp_path, domain=stand_in.url) as daemon:
        daemon.ready()
        stand_in.platform.gateway.max_connections = 0  # it stays away, and says why it went
        stand_in.call(stand_in.platform.cut, how="close", code=4001, reason=WORDS)
        daemon.until(lambda: daemon.said(SAID), "the reason in the log")
        assert not RAW.search("".join(daemon.stderr))
        for look in (("status",), ("status", "--json")):
            assert not RAW.search(commands.run(*look, domain=stand_in.url).all)


@pytest.mark.slow
def test_a_proxys_status_line(tmp_path: Path, commands: Commands) -> None:
    with answering(b"HTTP/1.1 407 " + WORDS.encode() + b"\r\nContent-Length: 0\r\n\r\n") as port:
        env = {"HTTPS_PROXY": f"http://127.0.0.1:{port}"}
        with Daemon(tmp_path, domain=f"https://{FEISHU}", env=env) as daemon:
            daemon.until(lambda: daemon.said("407"), "the refusal in the log")
            printed = shown(commands, f"https://{FEISHU}", **env) | {"log": "".join(daemon.stderr)}
    assert {} == {name: text for name, text in printed.items() if RAW.search(text)}
    assert all("407" in printed[name] for name in ("status", "doctor", "check", "log")), printed


@pytest.mark.slow
def test_an_endpoints_message(tmp_path: Path, commands: Commands) -> None:
    body = json.dumps({"code": 99, "msg": WORDS}, ensure_ascii=False).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    with answering(head + body) as port:
        domain = f"http://127.0.0.1:{port}"
        with Daemon(tmp_path, domain=domain) as daemon:
            daemon.until(lambda: daemon.said(SAID), "the message in the log")
            printed = shown(commands, domain) | {"log": "".join(daemon.stderr)}
    assert {} == {name: text for name, text in printed.items() if not clean(text)}
