"""What the page is told: summaries of whatever comes, figures, deliveries, and a stream that is bounded. No browser."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from listener.observe import health
from listener.observe.deliveries import RUNS, Deliveries
from listener.observe.health import moment
from listener.observe.page.numbers import HOUR_MS, HOURS, TICKETS, Numbers
from listener.observe.page.stream import BEHIND, GATHER, Stream
from listener.observe.page.summary import LONGEST, Summary, encode, matches, summary
from listener.sinks.base import Line
from tests import samples
from tests.samples import encode as payload_of
from tests.samples import example, received


def test_a_summary_of_the_documents_example() -> None:
    one = summary(received(payload_of(example()), seq=7))
    assert (7, samples.TICKET_ID, "bot", "closed_by_bot", "abc") == (
        one.seq,
        one.ticket,
        one.sender,
        one.status,
        one.agent,
    )
    assert ("请问vpn怎么下载", ("xxx", "yyy"), 123869.0) == (
        one.text.partition(" [image]")[0],
        one.pictures,
        one.first_response,
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"ticket": None},
        {"ticket": [1]},
        {"ticket": "x", "sender_id": [], "content": 7},
        {"sender_type": "2", "sender_id": {"open_id": 5}},
        {"sender_type": True, "text": None, "content": "{"},
        {"content": {"image_keys": [1, None, "k"]}, "ticket": {"agent_first_response_duration": "1e400"}},
        {"text": {"a": 1}, "msg_type": ["x"], "content": '{"image_key": {}}'},
    ],
)
def test_a_summary_of_whatever_types_came_can_be_encoded(changes: dict[str, Any]) -> None:
    assert encode(summary(received(payload_of(example(**changes)))))


def test_a_long_text_is_cut_and_its_rest_counted() -> None:
    one = summary(received(payload_of(example(text="a" * 100_000, content={}))))
    assert (LONGEST, 100_000 - LONGEST) == (len(one.text), one.more)


def test_every_word_must_match_and_case_does_not() -> None:
    one = Summary(1, "e", 0, ticket="700", sender="guest", text="The Printer jams")
    assert matches(one, ["printer", "guest"])
    assert not matches(one, ["printer", "agent"])


def test_figures_count_tickets_hours_and_first_responses() -> None:
    counted = Numbers()
    said = [("a", "guest", 0, "created"), ("b", "guest", 1000, "created"), ("a", "agent", 61_000, "processing")]
    for seq, (ticket, sender, at, status) in enumerate([*said, ("b", "bot", HOUR_MS, "closed_by_bot")], 1):
        counted.add(Summary(seq, str(seq), at, created=at or 1, ticket=ticket, sender=sender, status=status))
    figures = counted.figures(complete=True)
    assert {"processing": 1, "closed_by_bot": 1} == figures.statuses
    assert [(0, {"guest": 2, "agent": 1}), (HOUR_MS, {"bot": 1})] == figures.hours
    assert [60.999] == figures.responses


def test_figures_are_bounded() -> None:
    counted = Numbers()
    for seq in range(TICKETS + 10):
        counted.add(Summary(seq, str(seq), seq * HOUR_MS, ticket=str(seq), sender="guest", status="created"))
    figures = counted.figures(complete=True)
    assert ({"created": TICKETS}, HOURS, TICKETS + 10) == (figures.statuses, len(figures.hours), figures.events)


def _lines(*seqs: int) -> list[Line]:
    return [Line(received(payload_of(example(f"e{seq}")), seq=seq), b"") for seq in seqs]


def test_deliveries_know_which_events_a_sink_got_in_this_run() -> None:
    deliveries = Deliveries()
    deliveries.note("a", _lines(1, 2, 5))
    known = [seq for seq in range(8) if deliveries.at_ms("a", seq) is not None]
    assert ([1, 2, 5], None) == (known, deliveries.at_ms("b", 1))


def test_deliveries_are_bounded() -> None:
    deliveries = Deliveries()
    for seq in range(0, 2 * RUNS + 2, 2):
        deliveries.note("a", _lines(seq))
    assert deliveries.at_ms("a", 0) is None
    assert deliveries.at_ms("a", 2 * RUNS) is not None


class _Journal:
    """Events without end, as far as `last_seq`."""

    last_seq = 0

    def read(self, after: int, limit: int) -> Any:
        upto = min(self.last_seq, after + limit)
        return [received(payload_of(example(f"e{seq}")), seq=seq) for seq in range(after + 1, upto + 1)]

    def leave(self) -> None:
        """Nothing is held."""


async def _snapshot() -> health.Snapshot:
    return health.Snapshot(state="running", taken_at=moment(0))


def _stream(gather: float = GATHER) -> tuple[Stream, _Journal]:
    journal: Any = _Journal()
    facts: Any = SimpleNamespace(journal=journal, snapshot=_snapshot)
    return Stream(facts, gather), journal


async def _messages(pieces: AsyncIterator[bytes]) -> dict[str, Any]:
    """The next piece that holds messages."""
    async for piece in pieces:
        if b"event: messages" in piece:
            told: dict[str, Any] = msgspec.json.decode(piece.partition(b"data: ")[2])
            return told
    return {"ended": True}


def test_a_page_that_comes_back_is_sent_what_it_missed() -> None:
    async def run() -> None:
        live, journal = _stream()
        journal.last_seq = 900
        pieces = live.follow(890)
        assert list(range(891, 901)) == [one["seq"] for one in (await _messages(pieces))["events"]]
        journal.last_seq = 902
        assert [901, 902] == [one["seq"] for one in (await _messages(pieces))["events"]]
        long_away = await _messages(live.follow(10))
        assert (500, 392, 902) == (len(long_away["events"]), long_away["skipped"], long_away["last"])
        live.close()

    asyncio.run(run())


def test_a_page_that_does_not_read_is_cut_and_the_others_go_on() -> None:
    async def run() -> None:
        live, journal = _stream(gather=0.001)
        slow, quick = live.follow(None), live.follow(None)
        await _messages(slow)
        await _messages(quick)
        for seq in range(1, BEHIND + 3):
            journal.last_seq = seq
            assert seq == (await _messages(quick))["last"]
        held = [told async for told in slow]
        assert BEHIND > len(held), "what was held for it, and then its end"
        live.close()
        assert {"ended": True} == await _messages(quick)

    asyncio.run(run())
