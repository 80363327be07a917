"""Answers the page's questions to the journal: messages, one event, letters, the pace, the figures.

Each answer is made in a thread, and bounded.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import msgspec

from listener.base.text import printable
from listener.event import FORMATS, Received, Unparsable
from listener.journal import browse
from listener.journal.query import events_after, events_before
from listener.journal.reading import reading
from listener.observe.deliveries import Deliveries
from listener.observe.facts import Facts
from listener.observe.page.kept_images import kept_image
from listener.observe.page.numbers import Numbers
from listener.observe.page.summary import Summary, matches, summary

T = TypeVar("T")
AT_ONCE = 2  # threads that read for the page
CHUNK = 200  # events read together
PATIENCE = 0.4  # seconds that one search takes; the page asks for the rest
LIMIT = 100  # messages of an answer
BREATH = 0.002  # seconds between two chunks: a long look must not delay acks
FRESH, OFFSETS = 3.0, 9  # seconds for which the pace counts; readers' time zones for which it is remembered
KEPT = 600.0  # seconds without a question after which the figures are forgotten
FIGURES = 100_000  # newest events that the figures are made of
DAYS, MINUTES, DAY_MS, MINUTE_MS = 6, 60, 86_400_000, 60_000
encode = msgspec.json.Encoder().encode


class Queries:
    """Answers the page's questions to the journal, in threads. Lives in the loop. Raises JournalError."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._path: Path = facts.journal.path
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._pace: dict[int, tuple[float, bytes]] = {}
        self._numbers: Numbers | None = None
        self._counting = asyncio.Lock()
        self._forget: asyncio.TimerHandle | None = None

    async def messages(self, before: int, limit: int, ticket: str, words: str) -> bytes:
        """Returns {events, next}: newest first; `next` is where to go on looking, null at the journal's beginning."""
        limit = max(1, min(LIMIT, limit))
        wanted = words.lower().split()[:8]
        found, at = await self._read(lambda path: _search(path, before, limit, ticket, wanted))
        return encode({"events": found, "next": at})

    async def event(self, seq: int) -> bytes | None:
        """Returns {summary, record, raw, sinks} of one event, None where it is not kept any more."""
        found = await self._read(lambda path: _event(path, seq))
        if found is None:
            return None
        received, held = found
        sinks = [
            self._sink(worker.config.name, worker.config.type, worker.state.seq, seq, held)
            for worker in self._facts.workers
        ]
        return encode({"summary": summary(received), **_formats(received), "sinks": sinks})

    def _sink(self, name: str, kind: str, reached: int, seq: int, held: list[browse.Held]) -> dict[str, Any]:
        own = next((one for one in held if one.sink == name), None)
        told = {"name": name, "type": kind, "at": _deliveries(self._facts).at_ms(name, seq)}
        if own is not None:
            return told | {
                "state": own.state,
                "attempts": own.attempts,
                "reason": printable(own.reason),
                "next": own.next_ms,
            }
        if told["at"] is None:
            told["state"] = "passed" if seq <= reached else "pending"
        else:
            told["state"] = "delivered"
        return told

    @property
    def has_images(self) -> bool:
        """Returns whether images of messages are kept."""
        return self._facts.settings.enrich.attachments is not None

    async def image(self, seq: int, index: int) -> tuple[BinaryIO, str] | None:
        """Returns (file, media type) of a message's image, None where it is not kept."""
        folder = self._facts.settings.enrich.attachments
        return None if folder is None else await self._read(lambda path: kept_image(path, folder, seq, index))

    async def letters(self) -> bytes:
        """Returns {counts, letters}: dead letters, waiting events and unreadable payloads, newest first."""
        counts, found = await self._read(_letters)
        return encode({"counts": counts, "letters": found})

    async def pace(self, offset: int) -> bytes:
        """Returns {today, before, minutes}; `offset` is how many minutes the reader's clock is ahead of UTC."""
        offset = max(-14 * 60, min(14 * 60, offset))
        at, known = self._pace.get(offset, (0.0, b""))
        if time.monotonic() - at > FRESH:
            known = encode(await self._read(lambda path: _pace(path, int(time.time() * 1000), offset * MINUTE_MS)))
            self._pace.pop(offset, None)
            self._pace[offset] = time.monotonic(), known
            if len(self._pace) > OFFSETS:
                del self._pace[next(iter(self._pace))]
        return known

    async def numbers(self) -> bytes:
        """Returns the figures; counts are kept for a while, so that only new events are read."""
        async with self._counting:
            numbers = self._numbers = self._numbers or Numbers()
            complete = await self._read(lambda path: _count(path, numbers))
            self._forget_later()
            return encode(numbers.figures(complete=complete))

    def _forget_later(self) -> None:
        if self._forget is not None:
            self._forget.cancel()
        self._forget = asyncio.get_running_loop().call_later(KEPT, self._forget_numbers)

    def _forget_numbers(self) -> None:
        self._numbers = None

    async def _read(self, query: Callable[[Path], T]) -> T:
        async with self._gate:
            return await asyncio.to_thread(query, self._path)


def _deliveries(facts: Facts) -> Deliveries:
    return facts.timings.deliveries or Deliveries()


def _search(path: Path, before: int, limit: int, ticket: str, words: list[str]) -> tuple[list[Summary], int | None]:
    """Returns (the messages that match, the seq before which to go on; None at the beginning)."""
    found: list[Summary] = []
    until = time.monotonic() + PATIENCE
    with reading(path) as connection:
        while events := events_before(connection, before, CHUNK):
            for event in events:
                before, one = event.seq, summary(event)
                if (not ticket or one.ticket == ticket) and matches(one, words):
                    found.append(one)
                if len(found) >= limit:
                    return found, before
            if time.monotonic() > until:
                return found, before
            time.sleep(BREATH)
    return found, None


def _event(path: Path, seq: int) -> tuple[Received, list[browse.Held]] | None:
    with reading(path) as connection:
        received = browse.event_at(connection, seq)
        return (received, browse.held_back(connection, seq)) if received else None


def _formats(received: Received) -> dict[str, Any]:
    """Returns an event's record and payload, without the verification token.

    Where the event can't be read, the reason stands in their place.
    """
    try:
        return {name: msgspec.Raw(FORMATS[name](received)) for name in ("record", "raw")}
    except Unparsable as e:
        return {"problem": e.reason}


def _letters(path: Path) -> tuple[dict[str, int], list[dict[str, Any]]]:
    with reading(path) as connection:
        held = [*browse.held_back(connection), *browse.unreadable(connection)]
        events = {one.seq: browse.event_at(connection, one.seq) for one in held if one.seq is not None}
        return browse.letter_counts(connection), [_letter(one, events.get(one.seq or 0)) for one in held]


def _letter(one: browse.Held, event: Received | None) -> dict[str, Any]:
    told = {name: getattr(one, name) for name in ("state", "id", "sink", "seq", "attempts", "at_ms", "next_ms")}
    shown = summary(event) if event else None
    return told | {
        "reason": printable(one.reason),
        "ticket": shown.ticket if shown else "",
        "text": shown.text[:200] if shown else "",
    }


def _pace(path: Path, now_ms: int, offset_ms: int) -> dict[str, Any]:
    """Returns the events of today, of the days before up to this time of the day, and of each of the last minutes."""
    midnight = now_ms - (now_ms + offset_ms) % DAY_MS
    minute = now_ms - now_ms % MINUTE_MS
    with reading(path) as connection:
        first = browse.first_received(connection) or now_ms
        days = [
            browse.counts_since(connection, [midnight - n * DAY_MS, now_ms - n * DAY_MS + 1])[0]
            for n in range(DAYS + 1)
        ]
        known = [count for n, count in enumerate(days) if n and first <= midnight - n * DAY_MS]
        minutes = browse.counts_since(connection, [minute - n * MINUTE_MS for n in range(MINUTES - 1, -2, -1)])
    return {"today": days[0], "before": known, "minute": minute, "minutes": minutes}


def _count(path: Path, numbers: Numbers) -> bool:
    """Adds new events to the figures; returns whether none is left to add."""
    with reading(path) as connection:
        if not numbers.seq:
            oldest = browse.nth_newest(connection, FIGURES)
            numbers.seq, numbers.cut = max(0, oldest - 1), oldest > 0
        until = time.monotonic() + 10 * PATIENCE
        while events := events_after(connection, numbers.seq, CHUNK):
            for event in events:
                numbers.add(summary(event))
            time.sleep(BREATH)
            if time.monotonic() > until:
                return False
    return True
