"""What the receiver bounds: payloads that wait for the disk, and event types that are told apart."""

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from listener.journal import Journal
from listener.sources.receiver import MAX_TYPES, MAX_WAITING, Receiver
from tests.journal.keeping import opened

WANTED = "helpdesk.ticket_message.created_v1"


def envelope(event_id: str, event_type: str = WANTED, filling: int = 0) -> bytes:
    header = f'{{"event_id":"{event_id}","event_type":"{event_type}"}}'
    return f'{{"header":{header},"event":{{"text":"{"x" * filling}"}}}}'.encode()


def received(home: Path, test: Callable[[Journal, Receiver], Awaitable[None]]) -> None:
    async def main() -> None:
        with opened(home / "j.db") as journal:
            await test(journal, Receiver(journal, [WANTED]))

    asyncio.run(main())


def answered(receiver: Receiver, payload: bytes) -> "asyncio.Future[int]":
    """The code that the event gets."""
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    receiver.receive(payload).reply = future.set_result
    return future


def test_what_is_beyond_the_bound_of_waiting_bytes_is_refused_at_once_and_fits_later(tmp_path: Path) -> None:
    async def test(journal: Journal, receiver: Receiver) -> None:
        go, large = threading.Event(), envelope("large", filling=2**20)
        journal.writer.submit(lambda _connection: go.wait(20))
        waiting = [answered(receiver, large) for _ in range(MAX_WAITING // len(large))]
        assert 500 == await answered(receiver, large)
        assert not any(one.done() for one in waiting)
        go.set()
        assert {200} == set(await asyncio.gather(*waiting))
        assert 200 == await answered(receiver, large)
        assert (1, len(waiting)) == (receiver.state.kept, receiver.state.duplicates)

    received(tmp_path, test)


def test_types_without_end_are_counted_together(tmp_path: Path) -> None:
    async def test(_: Journal, receiver: Receiver) -> None:
        for number in range(MAX_TYPES + 50):
            assert 200 == await answered(receiver, envelope(str(number), f"a.new.kind_{number}"))
        assert MAX_TYPES + 1 == len(receiver.state.other_types)
        assert 50 == receiver.state.other_types["(others)"]
        assert 200 == await answered(receiver, envelope("again", "a.new.kind_7"))
        assert 2 == receiver.state.other_types["a.new.kind_7"]

    received(tmp_path, test)


def test_what_can_not_be_read_is_kept_and_acked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def test(_: Journal, receiver: Receiver) -> None:
        assert [200, 200] == [await answered(receiver, content) for content in (b"no JSON", envelope("good"))]
        assert Counter(kept=1, unreadable=1) == Counter(kept=receiver.state.kept, unreadable=receiver.state.unreadable)

    received(tmp_path, test)
    assert "a payload can't be read" in capsys.readouterr().out
