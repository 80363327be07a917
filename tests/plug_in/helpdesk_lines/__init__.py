"""An example plug-in: events as lines over TCP, each batch answered by a line with the number of events taken."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Literal

from listener.sinks.api import Address, Batch, Count, Delivered, NetworkConfig, Result, SinkType, TryAgain


class LinesConfig(NetworkConfig, frozen=True, kw_only=True):
    """`address`: host and port of the server."""

    type: Literal["lines"] = "lines"
    address: Annotated[str, Address()]
    in_flight: Annotated[int, Count(1, 1)] = 1  # answers come in the order of the batches


class LinesSink:
    def __init__(self, config: LinesConfig) -> None:
        self._host, _, self._port = config.address.rpartition(":")
        self._writer: asyncio.StreamWriter | None = None

    async def open(self) -> None:
        """Connects at the first batch."""

    async def deliver(self, batch: Batch) -> Sequence[Result]:
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(self._host.strip("[]"), int(self._port))
        try:
            self._writer.write(b"%d\n" % len(batch) + b"".join(one.data + b"\n" for one in batch))
            taken = await self._reader.readline()
        except BaseException:  # also a time-out: what the answer belongs to is not known any more
            await self.close()
            raise
        if taken == b"%d\n" % len(batch):
            return [Delivered()] * len(batch)
        await self.close()
        return [TryAgain("the server closed the connection", scope="endpoint")] * len(batch)

    def reopen(self) -> None:
        """There is no secret to read anew."""

    async def close(self) -> None:
        if self._writer:
            self._writer.close()
            self._writer = None


LINES = SinkType(LinesConfig, LinesSink)
