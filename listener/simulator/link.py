"""A TCP link between client and stand-in that can be cut, stalled, throttled, or lead nowhere."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Literal, Self

from listener.simulator.pipe import Pipe
from listener.simulator.watch import Watch


class Link:
    """Listens on loopback and forwards to `host:port`.

    stalled: nothing passes in either direction, nothing is closed (`stall()`, `resume()`).
    blackhole: new connections are accepted and lead nowhere.
    rate: bytes a second and direction, at once for data yet to come; None is unlimited.
    accepted: how many connections ever came.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.upstream = host, port
        self.stalled = False
        self.blackhole = False
        self.rate: float | None = None
        self.accepted = 0
        self.port = 0
        self._watch = Watch()
        self._server: asyncio.Server | None = None
        self._pipes: set[Pipe] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Returns what FEISHU_DOMAIN is set to, for a stand-in without TLS."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        """Returns how many clients are being served or swallowed."""
        return sum(isinstance(pipe, Entry) for pipe in self._pipes)

    async def start(self, port: int = 0) -> Self:
        """Listens; after `refuse()`, on the same port again."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._new_entry, "127.0.0.1", port or self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def refuse(self) -> None:
        """Refuses new connections from now on, while open ones live; `start()` ends that."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def stall(self) -> None:
        """Lets nothing pass any more, and closes nothing."""
        self.stalled = True
        self._reflow()

    def resume(self) -> None:
        """Ends a stall, and passes what was held up."""
        self.stalled = False
        self._reflow()

    async def cut(self, how: Literal["reset", "fin"] = "reset") -> None:
        """Ends every connection in both directions; returns when they are gone."""
        pipes = set(self._pipes)
        for pipe in pipes:
            pipe.end(how)
        await self._watch.until(lambda: not self._pipes & pipes, "the link's connections are gone")

    async def close(self) -> None:
        """Ends everything and leaves nothing behind."""
        for sock in self._server.sockets if self._server else ():
            asyncio.get_running_loop().remove_reader(sock)
        await asyncio.sleep(0)  # what was just accepted needs its server: else asyncio leaves that socket open
        self.refuse()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.cut()

    async def __aenter__(self) -> Self:
        return self if self._server else await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def onward(self, host: str, port: int) -> Pipe | None:
        """Opens a connection to host:port; returns None where it is refused."""
        loop = asyncio.get_running_loop()
        try:
            _, pipe = await loop.create_connection(lambda: Pipe(self), host, port)
        except OSError:
            return None
        return pipe

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs a coroutine until the link closes."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def on_made(self, pipe: Pipe) -> None:
        """Notes a new connection, of either end."""
        self._pipes.add(pipe)

    def on_lost(self, pipe: Pipe) -> None:
        """Notes that a connection, of either end, is gone."""
        self._pipes.discard(pipe)
        self._watch.changed()

    def _new_entry(self) -> Pipe:
        return Entry(self)

    def _reflow(self) -> None:
        for pipe in self._pipes:
            pipe.flow()


class Entry(Pipe):
    """The link's end towards the client."""

    owner: Link

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.owner.accepted += 1
        if not self.owner.blackhole:
            self.begin()

    def begin(self) -> None:
        """Opens the way onward."""
        self.owner.spawn(self._forward(*self.owner.upstream))

    async def _forward(self, host: str, port: int) -> None:
        onward = await self.owner.onward(host, port)
        if onward is None:
            self.end("reset")
        else:
            self.join(onward)
