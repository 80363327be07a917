"""What `check --online` says of a sink."""

import asyncio

from listener.sinks import new_network_sink
from listener.sinks.network import NetworkConfig, Probing


def probed(wanted: NetworkConfig) -> str:
    """Raises Unavailable as the command does."""

    async def ask() -> str:
        sink = new_network_sink(wanted)
        assert isinstance(sink, Probing)
        try:
            return await sink.probe()
        finally:
            await sink.close()

    return asyncio.run(ask())
