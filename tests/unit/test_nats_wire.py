"""What the nats sink sends, byte by byte, and in which order, without a server."""

import asyncio
from collections.abc import Sequence
from typing import Any

from listener.settings.secrets import Secret
from listener.sinks.nats import NatsSink
from listener.sinks.nats_answers import Answers, PubAck, Refusal, read
from listener.sinks.nats_config import NatsConfig
from listener.sinks.nats_wire import Message, message_of, side_by_side, together
from listener.sinks.network import Batch, Outgoing
from listener.sinks.results import Delivered, Rejected, Result, TryAgain
from tests.samples import encode, example, received, ticket

HELD_BACK = TryAgain("it waits for an earlier event of its ticket")


class FakeClient:
    """Takes what is published, but for ids with a result of their own."""

    is_atomic = is_lost = False

    def __init__(self, results: dict[str, Result]) -> None:
        self.results, self.sent = results, list[list[str]]()

    async def connect(self, *, make: bool) -> None: ...

    async def close(self) -> None: ...

    async def publish(self, messages: Sequence[Message]) -> list[Result]:
        ids = [one.headers.partition("\r\n")[0].removeprefix("Nats-Msg-Id: ") for one in messages]
        self.sent.append(ids)
        return [self.results.get(one, Delivered()) for one in ids]


class FakedSink(NatsSink):
    def __init__(self, client: FakeClient, **settings: Any) -> None:
        super().__init__(NatsConfig(name="n", servers=(Secret("nats://127.0.0.1"),), **settings))
        self.client = client

    def _new_client(self) -> Any:
        return self.client


def batch(**tickets: str) -> Batch:
    """Events of these ids, each of the ticket that is named."""
    payloads = [encode(example(one, ticket=ticket(ticket_id=about))) for one, about in tickets.items()]
    return Batch(Outgoing(received(one), b"x") for one in payloads)


def test_commands_have_the_sizes_of_headers_and_of_all() -> None:
    message = message_of("helpdesk.t1", "e1", "HELPDESK", b"data")
    head = b"NATS/1.0\r\nNats-Msg-Id: e1\r\nNats-Expected-Stream: HELPDESK\r\n\r\n"
    assert message.size == len(head) + 4
    one = b"HPUB helpdesk.t1 in.box.%d %d %d\r\n%sdata\r\n"
    expected = b"".join(one % (n, len(head), len(head) + 4, head) for n in range(2))
    assert expected == side_by_side([message, message], "in.box")


def test_an_atomic_batch_is_answered_once_and_ends_with_its_commit() -> None:
    message = message_of("s", "e1", "S", b"")
    first, last = together([message, message], "in.box", "b7").split(b"HPUB s ")[1:]
    assert first.startswith(b" ")  # no reply
    assert b"\r\nNats-Batch-Id: b7\r\nNats-Batch-Sequence: 1\r\n\r\n" in first
    assert last.startswith(b"in.box.0 ")
    assert b"\r\nNats-Batch-Id: b7\r\nNats-Batch-Sequence: 2\r\nNats-Batch-Commit: 1\r\n\r\n" in last


def test_the_first_events_of_all_tickets_go_out_at_once_then_the_second_ones() -> None:
    client = FakeClient({})
    results = asyncio.run(FakedSink(client).deliver(batch(a1="a", a2="a", b1="b", a3="a", b2="b")))
    assert [["a1", "b1"], ["a2", "b2"], ["a3"]] == client.sent
    assert [Delivered()] * 5 == results


def test_what_comes_after_one_that_failed_is_not_sent_but_after_one_that_is_refused() -> None:
    again, refused = TryAgain("later"), Rejected("too large")
    client = FakeClient({"a1": again, "b1": refused})
    results = asyncio.run(FakedSink(client).deliver(batch(a1="a", a2="a", b1="b", a3="a", b2="b")))
    assert [["a1", "b1"], ["b2"]] == [one for one in client.sent if one]
    assert [again, HELD_BACK, refused, HELD_BACK, Delivered()] == results


def test_strict_order_is_one_after_the_other() -> None:
    client = FakeClient({"b1": TryAgain("later")})
    asyncio.run(FakedSink(client, order="strict").deliver(batch(a1="a", b1="b", c1="c")))
    assert [["a1"], ["b1"]] == [one for one in client.sent if one]


def test_the_first_answer_counts_and_the_rest_get_one_for_all() -> None:
    async def told() -> list[PubAck | TryAgain]:
        answers = Answers(3)
        answers.set(1, PubAck())
        answers.set(1, PubAck(Refusal("no")))
        assert not answers.all_known.done()
        answers.set_rest(TryAgain("lost"))
        await answers.all_known
        return answers.known

    assert [TryAgain("lost"), PubAck(), TryAgain("lost")] == asyncio.run(told())


def test_what_is_no_answer_of_a_stream() -> None:
    assert read(b"pong") is None
    assert PubAck() == read(b'{"stream":"S","seq":7}')
    assert PubAck(Refusal("no", 10077)) == read(b'{"error":{"code":400,"err_code":10077,"description":"no"}}')
