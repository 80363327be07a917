"""The demonstration: the real listener, unchanged, against the stand-in platform on loopback.

The platform's part is told on stderr while it happens: connected, cut, back after so many ms, a duplicate dropped.
"""

import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from pathlib import Path

from listener.app.daemon import Bounds, Service
from listener.base.errors import EX_IOERR, ListenError
from listener.settings.config import load
from listener.simulator import Delivery, PlatformThread, conversation

APP_ID, SECRET = "cli_a5ca1ab1e0ddba11", "demo-secret"  # the stand-in's own
CONFIG = """
[[sinks]]
name = "stdout"
type = "stdout"
[log]
level = "error"
"""
WAIT = 15.0  # seconds for the stand-in's events to get through


class DemoFailed(ListenError):
    """The records can't be written."""

    exit_code = EX_IOERR


@dataclass
class Demo:
    """`count` records at `rate` a second; `tell` gets each line of the story."""

    count: int
    rate: float
    tell: Callable[[str], None]
    repeated: int = 0
    cuts: int = 0
    failure: str = ""
    _done: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Blocks until `count` records are out, or stdout's reader is gone."""
        os.environ["no_proxy"] = "*"  # everything here is on loopback
        with PlatformThread(scale=0.01) as stand_in, tempfile.TemporaryDirectory() as state:
            stand_in.platform.gateway.client_config |= {"ReconnectNonce": 0}
            service = _service(stand_in.url, Path(state), self.count)
            storyteller = threading.Thread(target=self._play, args=(stand_in,), daemon=True)
            self.tell(f"the stand-in platform is at {stand_in.url}; the real listener connects / 正在连接…")
            storyteller.start()
            service.run()
            self._done.set()
            storyteller.join(WAIT)
        if self.failure:
            raise DemoFailed(self.failure)
        story = f"{service.delivered} records, {self.repeated} duplicate dropped, {self.cuts} cut survived"
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
        for number, event in zip(range(1, self.count + 1), conversation(), strict=False):
            delivery = stand_in.call(platform.push, event)
            stand_in.call(delivery.acked, WAIT)
            if number == self.count // 3:
                self._repeat(stand_in, delivery)
            if number == self.count * 2 // 3:
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


def _service(url: str, state: Path, count: int) -> Service:
    config = state / "config.toml"
    config.write_text(CONFIG, encoding="utf-8")
    env = {"FEISHU_APP_ID": APP_ID, "FEISHU_APP_SECRET": SECRET, "FEISHU_DOMAIN": url, "STATE_DIRECTORY": str(state)}
    return Service(load(config, env), Bounds(max_events=count))


def _ms(since: float) -> int:
    return round((time.monotonic() - since) * 1000)
