"""One endpoint call and nothing more: whether the platform accepts the app id and the secret."""

import asyncio

from listener.config import Feishu
from listener.feishu.client import new_client
from listener.feishu.network import Network, network_of
from listener.threads import DaemonExecutor

SECONDS = 10.0


def ask_endpoint(feishu: Feishu) -> None:
    """Blocks for at most SECONDS. Raises SessionError with what the platform answered."""
    asyncio.run(_ask(feishu, network_of(feishu)))


async def _ask(feishu: Feishu, network: Network) -> None:
    loop = asyncio.get_running_loop()
    loop.set_default_executor(DaemonExecutor())
    client = new_client(feishu.app_id, feishu.app_secret.read(), feishu.domain, network, lambda *_: None)
    async with asyncio.timeout(SECONDS):
        await loop.run_in_executor(None, client.fetch_url)
