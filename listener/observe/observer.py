"""Ties together what watches the daemon: watchdog, status socket, HTTP. None of it is needed to listen."""

import asyncio
from typing import Self

from listener.base.systemd import Notifier
from listener.observe import health
from listener.observe.control import Control
from listener.observe.facts import Facts
from listener.observe.serving import Served
from listener.observe.watchdog import Watchdog


class Observer:
    """Lets the daemon be watched inside its async block: status socket, HTTP and watchdog."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self.notifier = Notifier()
        self.watchdog = Watchdog(facts, self.notifier)
        self._control = Control(facts.journal.path, self._document)
        address = facts.settings.http.listen
        self._served = Served(facts, address) if address is not None else None

    async def __aenter__(self) -> Self:
        await self._control.start()
        if self._served:
            await self._served.start()
        self._beating = asyncio.ensure_future(self.watchdog.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._beating.cancel()
        self._control.close()
        if self._served:
            await self._served.close()

    async def _document(self) -> bytes:
        return health.encode(await self._facts.snapshot())
