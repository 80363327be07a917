"""A Webhook on a free port with a real Receiver and journal, in the test's own event loop."""

import asyncio
import io
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NoReturn

import msgspec
from aiohttp import ClientSession

from listener.journal import Journal
from listener.settings.config import SourceSettings
from listener.sources.receiver import Receiver
from listener.sources.webhook import Patience, Webhook
from listener.sources.webhook_verifier import Verifier
from tests.webhook.posts import KEY, TOKEN, Post

PATH = "/webhook/event"


class Served:
    """`post` a body, look at what was kept."""

    def __init__(
        self,
        webhook: Webhook,
        receiver: Receiver,
        journal: Journal,
        http: ClientSession,
        running: "asyncio.Future[NoReturn]",
    ) -> None:
        self.webhook, self.receiver, self.journal, self.running = webhook, receiver, journal, running
        self._http = http

    @property
    def address(self) -> tuple[str, int]:
        return self.webhook.address

    async def post(self, post: Post, path: str = PATH) -> tuple[int, object]:
        """(status, decoded answer)."""
        headers, body = post
        url = f"http://127.0.0.1:{self.address[1]}{path}"
        async with self._http.post(url, data=io.BytesIO(body), headers=headers) as answer:
            return answer.status, msgspec.json.decode(await answer.read())

    def kept(self) -> list[str]:
        """The event ids in the journal."""
        return [event.event_id for event in self.journal.read(0, 10_000)]

    def aside(self) -> int:
        """How many payloads are kept aside."""
        with sqlite3.connect(self.journal.path) as connection:
            count: int = connection.execute("SELECT count(*) FROM aside").fetchone()[0]
        connection.close()
        return count


@asynccontextmanager
async def serving(
    home: Path, *, token: str | None = TOKEN, key: str | None = KEY, patience: Patience | None = None
) -> AsyncIterator[Served]:
    journal = Journal(home / "journal.db")
    journal.start()
    receiver = Receiver(journal, ("helpdesk.ticket_message.created_v1",))
    config = msgspec.convert({"listen": "127.0.0.1:0"}, SourceSettings)
    listening = asyncio.Event()
    verifier = Verifier(token, key, window=7 * 86_400)
    webhook = Webhook(config, verifier, receiver, on_change=lambda state: listening.set(), patience=patience)
    running = asyncio.ensure_future(webhook.run())
    try:
        await asyncio.wait_for(listening.wait(), 30)
        async with ClientSession() as http:
            yield Served(webhook, receiver, journal, http, running)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        journal.close()
