"""Serves the daemon's status to whoever connects to a unix socket beside the journal.

Nothing is read from the peer, so there is nothing to get wrong.
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from listener.base.errors import ListenError
from listener.base.logs import get_logger

MODE = 0o660  # the owner and the group
SEND = 2.0  # seconds
AT_ONCE = 64  # who ask: descriptors are for the connection and the sinks
LIMIT = 1 << 20  # bytes of an answer
log = get_logger(__name__)


def socket_path(journal: Path) -> Path:
    return Path(f"{journal}.sock")


class Control:
    """The daemon's side of the socket. Whoever holds the journal's lock may replace the socket of an earlier daemon."""

    def __init__(self, journal: Path, answer: Callable[[], Awaitable[bytes]]) -> None:
        self._path = socket_path(journal)
        self._answer = answer
        self._server: asyncio.Server | None = None
        self._asking = 0

    async def start(self) -> None:
        """Serves the status from now on; where that fails it warns, since the daemon still listens for events."""
        try:
            # Not start_unix_server: from Python 3.13 on it looks at the address, which is a descriptor's for a moment.
            self._server = await asyncio.start_server(self._serve, sock=_bound(self._path))
        except OSError as e:
            log.warning("`status` can't ask this daemon", socket=str(self._path), because=e.strerror or str(e))

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)

    async def _serve(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._asking >= AT_ONCE:
            writer.transport.abort()
            return
        self._asking += 1
        try:
            async with asyncio.timeout(SEND):
                writer.write(await self._answer())
                await writer.drain()
        except (OSError, TimeoutError):
            writer.transport.abort()
        finally:
            self._asking -= 1
            writer.close()


def ask(journal: Path, seconds: float) -> tuple[int, bytes] | None:
    """Returns the daemon's pid and answer: b"" where it stays silent for `seconds`; None where no daemon listens."""
    try:
        with _short(socket_path(journal)) as path:
            return _ask(path, seconds)
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
        return None
    except PermissionError as e:
        raise ListenError("this user may not ask the daemon", hint="ask as root, or as one of its group") from e


def _ask(path: str, seconds: float) -> tuple[int, bytes]:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(seconds)
        try:
            sock.connect(path)
            pid = int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 4), "little")
        except (BlockingIOError, TimeoutError):  # so many ask already
            return 0, b""
        try:
            return pid, _read(sock)
        except (TimeoutError, ConnectionResetError):
            return pid, b""


def _read(sock: socket.socket) -> bytes:
    received = bytearray()
    while len(received) < LIMIT and (chunk := sock.recv(65536)):
        received += chunk
    return bytes(received)


def _bound(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    try:
        path.unlink(missing_ok=True)
        with _short(path) as short:
            sock.bind(short)
            os.chmod(short, MODE)
    except BaseException:
        sock.close()
        raise
    return sock


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """Returns a shorter path of the socket, by a directory's descriptor: an address has 108 bytes only (unix(7))."""
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
