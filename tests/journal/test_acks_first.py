"""A commit's acks leave before its sinks wake up: they share the interpreter."""

import asyncio
from pathlib import Path

import pytest

from listener.sources.receiver import Receiver
from tests.journal.keeping import keep_ids, opened, payload, until

TYPE = "helpdesk.ticket_message.created_v1"


def test_the_sinks_are_woken_after_the_acks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> list[str]:
        with opened(tmp_path / "j.db") as journal:
            order: list[str] = []
            woken = asyncio.Event()

            def wake() -> None:
                order.append("woken")
                woken.set()

            monkeypatch.setattr(journal, "wake", wake)
            monkeypatch.setattr(journal.writer._tail, "changed", lambda: None)  # what others changed wakes them, too
            monkeypatch.setattr(journal.writer._tail, "wake", lambda: order.append("by the writer"))
            loop = asyncio.get_running_loop()
            receiver = Receiver(journal, (TYPE,))

            def reply(code: int) -> None:
                order.append(f"decided {code}")
                loop.call_soon(order.append, "sent")  # as the connection does

            receiver.receive(payload("a")).reply = reply
            async with asyncio.timeout(10):
                await woken.wait()
            return order

    assert ["decided 200", "sent", "woken"] == asyncio.run(main())


def test_where_the_loop_is_closed_the_writer_wakes_them(tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal:

        async def main() -> None:
            Receiver(journal, (TYPE,))

        asyncio.run(main())
        woken: list[bool] = []
        journal.writer._tail.wake = lambda: woken.append(True)  # type: ignore[method-assign]
        keep_ids(journal, "a")
        until(lambda: woken, "they are woken")
