"""Tries each leg of the long connection once: whether the platform accepts the app, and whether it answers."""

import asyncio
from collections.abc import Callable
from typing import Any

from listener.base.errors import Unreachable
from listener.base.threads import DaemonExecutor
from listener.feishu.sdk import new_client
from listener.feishu.session import Session
from listener.feishu.transport import network_of
from listener.settings.config import FeishuSettings

SECONDS = 10.0
LOOK = 0.02  # seconds between two looks for the pong


def ask_endpoint(feishu: FeishuSettings) -> str:
    """Calls the endpoint, which opens no connection; returns the host that it names. Raises SessionError, ConfigError.

    It blocks up to SECONDS.
    """
    return str(asyncio.run(_bounded(_ask(feishu), "the endpoint")))


def shake_hands(feishu: FeishuSettings) -> float:
    """Opens a connection, pings, closes it; returns the seconds to the pong. Raises SessionError or ConfigError."""
    return float(asyncio.run(_bounded(_shake(feishu), "the connection")))


async def _ask(feishu: FeishuSettings) -> str:
    network = network_of(feishu)
    client = new_client(feishu.app_id, feishu.app_secret.read(), feishu.domain, network, lambda *_: None)
    await asyncio.get_running_loop().run_in_executor(None, client.fetch_url)
    return client.host


async def _shake(feishu: FeishuSettings) -> float:
    session = Session(feishu.app_id, feishu.app_secret.read(), feishu.domain, _Refuser(), network=network_of(feishu))
    try:
        await session.open()
        return await round_trip(session)
    finally:
        await session.close()


async def round_trip(session: Session) -> float:
    """Listens until the first pong; returns the seconds that it took. Raises Lost."""
    listening = asyncio.ensure_future(session.listen())
    try:
        while session.round_trip is None:
            await asyncio.wait({listening}, timeout=LOOK)
            if listening.done():
                listening.result()
        return session.round_trip
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)  # asyncio prints an end that nobody looked at


async def _bounded(step: Any, what: str) -> Any:
    asyncio.get_running_loop().set_default_executor(DaemonExecutor())
    try:
        async with asyncio.timeout(SECONDS):
            return await step
    except TimeoutError:
        raise Unreachable(f"{what}: no answer within {SECONDS:g} s", cause="endpoint") from None


class _Refuser:
    """Refuses what is pushed meanwhile, since this probe keeps nothing; the platform pushes it again in 15 s."""

    def __init__(self) -> None:
        self.reply: Callable[[int], None] = lambda code: None

    def receive(self, payload: bytes) -> "_Refuser":
        verdict = _Refuser()
        asyncio.get_running_loop().call_soon(lambda: verdict.reply(500))
        return verdict
