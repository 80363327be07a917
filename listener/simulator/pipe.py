"""Forwards one end of a TCP connection, with back pressure and half-closes passed on."""

import asyncio
import socket
import struct
from typing import Literal, Protocol

RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER, zero seconds: close sends RST

_TICK = 0.05  # s between two portions of a throttled link


def reset(transport: asyncio.Transport) -> None:
    """Closes the connection with a TCP reset."""
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    transport.abort()


class PipeOwner(Protocol):
    """The link as its pipes know it."""

    stalled: bool
    rate: float | None

    def on_made(self, pipe: "Pipe") -> None: ...
    def on_lost(self, pipe: "Pipe") -> None: ...


class Pipe(asyncio.Protocol):
    """Sends what comes in here out at `peer`; until there is one, nothing is read."""

    transport: asyncio.Transport

    def __init__(self, owner: PipeOwner) -> None:
        self.owner = owner
        self.peer: Pipe | None = None
        self._ended = False
        self._choked = False  # the peer's buffer is full
        self._held = b""  # what a throttled link has yet to pass on
        self._timer: asyncio.TimerHandle | None = None

    def join(self, peer: "Pipe") -> None:
        """Makes the two ends one connection; both start to read."""
        self.peer, peer.peer = peer, self
        self.flow()
        peer.flow()

    def flow(self) -> None:
        """Reads, or stops reading, as the link's state and the peer's buffer want."""
        if self.transport.is_closing():
            return
        if self.peer is None or self.owner.stalled or self._choked or self._held:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def end(self, how: Literal["reset", "fin"]) -> None:
        """Ends the connection by RST, or by FIN once what was written is sent."""
        if how == "reset":
            reset(self.transport)
        else:
            self.transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 -- create_connection promises it
        self.transport = transport
        self.owner.on_made(self)
        self.flow()

    def data_received(self, data: bytes) -> None:
        if self.owner.rate is None:
            self._pass_on(data)
        else:
            self._held += data
            self._portion()

    def eof_received(self) -> bool:
        self._ended = True
        if self.peer is None or self.peer._ended or not self.peer.transport.can_write_eof():
            return False
        if not self.peer.transport.is_closing():
            self.peer.transport.write_eof()
        return True

    def pause_writing(self) -> None:
        self._choke_peer(choked=True)

    def resume_writing(self) -> None:
        self._choke_peer(choked=False)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self.peer is not None:
            self.peer.end("fin" if exc is None else "reset")
        self.owner.on_lost(self)

    def _pass_on(self, data: bytes) -> None:
        if self.peer is not None and not self.peer.transport.is_closing():
            self.peer.transport.write(data)

    def _portion(self) -> None:
        """Passes on what the rate allows for one tick, and comes back for the rest."""
        size = len(self._held) if self.owner.rate is None else max(1, int(self.owner.rate * _TICK))
        self._pass_on(self._held[:size])
        self._held = self._held[size:]
        self._timer = asyncio.get_running_loop().call_later(_TICK, self._portion) if self._held else None
        self.flow()

    def _choke_peer(self, *, choked: bool) -> None:
        if self.peer is not None:
            self.peer._choked = choked
            self.peer.flow()
