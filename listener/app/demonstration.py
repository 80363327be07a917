"""Shows the real listener, unchanged, against the stand-in platform on loopback.

What the platform does is told on stderr while it happens: connected, cut, back after so many ms, a duplicate dropped.
"""

import os
import secrets
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from listener.app.daemon import run
from listener.app.running import Bounds
from listener.base.errors import EX_IOERR, ListenError
from listener.settings.config import Settings, load
from listener.simulator import Delivery, PlatformThread, conversation

APP_ID, SECRET = "cli_a5ca1ab1e0ddba11", "demo-secret"  # the stand-in's own
CONFIG = """
[[sinks]]
name = "stdout"
type = "stdout"
[log]
level = "error"
"""
PAGE = """
[http]
listen = "127.0.0.1:{port}"
token_file = "token"
"""
SHOWN = 12  # records after which everything has been shown
WAIT = 15.0  # seconds for the stand-in's events to get through


class DemoFailed(ListenError):
    """The records can't be written."""

    exit_code = EX_IOERR


@dataclass
class Demo:
    """Shows the listener at work beside the stand-in platform: `count` records, `rate` of them a second.

    Without a count it goes on until it is stopped; `tell` gets each line of the story.
    """

    count: int | None
    rate: float
    tell: Callable[[str], None]
    page: bool = False
    repeated: int = 0
    cuts: int = 0
    failure: str = ""
    _address: str = ""
    _done: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Runs the demonstration until `count` records are out, or stdout's reader is gone; blocks."""
        os.environ["no_proxy"] = "*"  # everything here is on loopback
        with PlatformThread(scale=0.01) as stand_in, tempfile.TemporaryDirectory() as state:
            stand_in.platform.gateway.client_config |= {"ReconnectNonce": 0}
            settings = _settings(stand_in.url, Path(state), PAGE if self.page else "")
            storyteller = threading.Thread(target=self._play, args=(stand_in,), daemon=True)
            self.tell(f"the stand-in platform is at {stand_in.url}; the real listener connects / 正在连接…")
            self._address = _page_of(settings)
            storyteller.start()
            running = run(settings, Bounds(max_events=self.count))
            self._done.set()
            storyteller.join(WAIT)
        if self.failure:
            raise DemoFailed(self.failure)
        story = f"{running.delivered} records, {self.repeated} duplicate dropped, {self.cuts} cut survived"
        self.tell(f"done: {story} / 完成")

    def _play(self, stand_in: PlatformThread) -> None:
        try:
            self._story(stand_in)
            if not self._done.wait(WAIT):  # a reader that is slow has had its time
                self.failure = f"standard output took not all of the records within {WAIT:g} s"
                os.kill(os.getpid(), signal.SIGTERM)
        except (CancelledError, RuntimeError, OSError) as e:
            if self._done.wait(WAIT):
                return  # the listener ended first, as with `| head -n 3`
            self.tell(f"the demo failed: {e!r}")
            os.kill(os.getpid(), signal.SIGTERM)

    def _story(self, stand_in: PlatformThread) -> None:
        platform, begun = stand_in.platform, time.monotonic()
        stand_in.call(platform.connected)
        self.tell(f"connected and ready after {_ms(begun)} ms / 已连接")
        if self._address:
            self.tell(f"the page, with its buttons, is at {self._address} / 页面地址")
        shown = self.count or SHOWN
        for number, event in enumerate(islice(conversation(), self.count), 1):
            delivery = stand_in.call(platform.push, event)
            stand_in.call(delivery.acked, WAIT)
            if number == shown // 3:
                self._repeat(stand_in, delivery)
            if number == shown * 2 // 3:
                self._cut(stand_in)
            if self._done.wait(1 / self.rate):
                return

    def _repeat(self, stand_in: PlatformThread, delivery: Delivery) -> None:
        stand_in.call(stand_in.platform.repeat, delivery)
        stand_in.call(stand_in.platform.watch.until, lambda: len(delivery.acks) > 1, "the second ack")
        self.repeated += 1
        self.tell("the platform pushed that event a second time: acked, and dropped as a duplicate / 重复事件已去重")

    def _cut(self, stand_in: PlatformThread) -> None:
        begun = time.monotonic()
        stand_in.call(stand_in.platform.cut)
        self.tell("the connection was cut / 连接被切断")
        stand_in.call(stand_in.platform.connected)
        self.cuts += 1
        self.tell(f"back after {_ms(begun)} ms / 已重新连接")


def _settings(url: str, state: Path, more: str) -> Settings:
    config, token = state / "config.toml", state / "token"
    token.touch(0o600)
    token.write_text(secrets.token_urlsafe(16), encoding="utf-8")
    config.write_text(CONFIG + more.format(port=_free_port()), encoding="utf-8")
    env = {"FEISHU_APP_ID": APP_ID, "FEISHU_APP_SECRET": SECRET, "FEISHU_DOMAIN": url, "STATE_DIRECTORY": str(state)}
    return load(config, env)


def _page_of(settings: Settings) -> str:
    """Returns the page's address with its token after the "#", which a browser sends to nobody; "" for no page."""
    http = settings.http
    return f"http://{http.listen}/#token={http.token.read()}" if http.listen and http.token else ""


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _ms(since: float) -> int:
    return round((time.monotonic() - since) * 1000)
