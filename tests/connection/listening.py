"""The connection's half of the daemon inside the test's loop: supervisor, session, a handler that only remembers."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from listener.base.threads import DaemonExecutor
from listener.feishu.session import Limits, Session
from listener.feishu.transport import Network
from listener.simulator import Platform
from listener.sources.long_connection import Backoff, Supervisor

LARK, FEISHU = "open.larksuite.com", "open.feishu.cn"
PROMPT = {"ReconnectCount": -1, "ReconnectInterval": 120, "ReconnectNonce": 0, "PingInterval": 2}
QUICKLY = Backoff(soon_initial=0.02, slow_initial=0.05, slow_max=0.1)  # for what is not about the pace
EVENT = b'{"schema":"2.0","header":{"event_id":"%d","event_type":"helpdesk.ticket_message.created_v1"},"event":{}}'


def event(number: int) -> bytes:
    """A small payload."""
    return EVENT % number


class Verdict:
    """What the handler returns; the session sets `reply`."""

    reply: Callable[[int], None]


@dataclass
class Handler:
    """Keeps payloads and answers each in the loop's next turn, with 200, or when the test says so."""

    answers: bool = True
    payloads: list[bytes] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)

    def receive(self, payload: bytes) -> Verdict:
        self.payloads.append(payload)
        self.verdicts.append(verdict := Verdict())
        if self.answers:
            asyncio.get_running_loop().call_soon(lambda: verdict.reply(200))
        return verdict


async def until(holds: Callable[[], object], what: str, within: float = 30.0) -> None:
    """Waits for a condition."""
    deadline = time.monotonic() + within
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"after {within:g} s still not: {what}")
        await asyncio.sleep(0.01)


@dataclass
class Listening:
    """A supervisor at work. `lines`: what was told of bad frames."""

    supervisor: Supervisor
    handler: Handler
    bad_frames: list[str]
    task: "asyncio.Task[Any]"

    async def connected(self, times: int = 1, within: float = 30.0) -> None:
        await self.until(lambda: self.supervisor.state.connections >= times, f"connected {times} times", within)

    async def until(self, holds: Callable[[], object], what: str, within: float = 30.0) -> None:
        """Waits for a condition; a supervisor that has ended raises its error."""
        try:
            await until(lambda: self.task.done() or holds(), what, within)
        except AssertionError as e:
            raise AssertionError(f"{e}; {self.supervisor.state}") from None
        if self.task.done():
            self.task.result()


@asynccontextmanager
async def listening(
    domain: str,
    *,
    network: Network | None = None,
    limits: Limits | None = None,
    backoff: Backoff | None = None,
    handler: Handler | None = None,
    **settings: Any,
) -> AsyncIterator[Listening]:
    """Starts one on `domain`, and stops it as the service does."""
    asyncio.get_running_loop().set_default_executor(DaemonExecutor())
    handler, bad_frames = handler or Handler(), list[str]()
    new_session = partial(
        Session,
        "cli_a5ca1ab1e0ddba11",
        "demo-secret",
        domain,
        handler,
        network=network,
        limits=limits,
        bad_frame=bad_frames.append,
    )
    supervisor = Supervisor(new_session, backoff=backoff, **settings)
    task = asyncio.ensure_future(supervisor.run())
    try:
        yield Listening(supervisor, handler, bad_frames, task)
    finally:
        if not task.done():
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await no_calls()


async def no_calls() -> None:
    """Waits until the calls that were given up are over: each ends by itself."""
    await until(lambda: not any(thread.name == "may-hang" for thread in threading.enumerate()), "no call is left")


def platform(**settings: Any) -> Platform:
    """A stand-in that pings every 2 s, wants its clients back at once, and pushes again soon."""
    stand_in = Platform(**{"schedule": (0.2,) * 20, **settings})
    stand_in.gateway.client_config = dict(PROMPT)
    return stand_in
