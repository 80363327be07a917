"""The server of the example, for the conformance suite: it says which event ids have come."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class End:
    def __init__(self, directory: Path) -> None:
        self._got: list[str] = []
        self._state = "up"
        self._over = threading.Event()

    def __enter__(self) -> "End":
        end = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                while (count := self.rfile.readline()) and end._state != "down":
                    ids = [json.loads(self.rfile.readline())["event_id"] for _ in range(int(count))]
                    if end._state == "hanging":
                        end._over.wait(60)
                        return
                    end._got += ids
                    self.wfile.write(count)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A sink that goes away in the middle is part of the tests."""

        self._server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    def settings(self) -> dict[str, object]:
        return {"address": f"127.0.0.1:{self._server.server_address[1]}", "batch.max_events": 5}

    def got(self) -> list[str]:
        return list(self._got)

    @contextmanager
    def down(self) -> Iterator[None]:
        self._state = "down"
        yield
        self._state = "up"

    @contextmanager
    def hanging(self) -> Iterator[None]:
        self._state = "hanging"
        yield
        self._over.set()
