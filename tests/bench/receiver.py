"""An HTTP end in a process of its own: `python -m tests.bench.receiver SECONDS` answers 200 after so long.

Prints its URL. It is a bare asyncio protocol, so that it costs little of what is measured.
"""

import asyncio
import sys

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class End(asyncio.Protocol):
    """Requests one after the other, each with a Content-Length."""

    delay = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self._data = transport, b""

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, end, rest = self._data.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(rest) >= length:
            self._data = rest[length:]
            asyncio.get_running_loop().call_later(self.delay, self._answer)

    def _answer(self) -> None:
        if isinstance(self._transport, asyncio.WriteTransport):
            self._transport.write(ANSWER)


async def main() -> None:
    """Serves until it is killed."""
    End.delay = float(sys.argv[1])
    server = await asyncio.get_running_loop().create_server(End, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
