"""Any bytes at all may come as a message: no exception, at most one answer, and only one that is due."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.feishu.session import Session
from listener.simulator import frames
from listener.simulator.frames import DATA, Frame

KEYS = st.sampled_from(["type", "message_id", "sum", "seq", "trace_id", "biz_rt", "x"])
VALUES = st.one_of(
    st.sampled_from(["event", "card", "ping", "pong", "1", "2", "0", "-1", "9" * 30]), st.text(max_size=9)
)
FRAMES = st.builds(
    Frame,
    seq_id=st.integers(0, 2**64 - 1),
    log_id=st.integers(0, 2**64 - 1),
    service=st.integers(-(2**31), 2**31 - 1),
    method=st.one_of(st.sampled_from([0, 1]), st.integers(-(2**31), 2**31 - 1)),
    headers=st.lists(st.tuples(KEYS, VALUES), max_size=8),
    payload_type=st.text(max_size=9),
    payload=st.one_of(st.binary(max_size=99), st.just(b'{"PingInterval": 1}')),
    log_id_new=st.text(max_size=9),
)


class Wire:
    """Stands for the connection: keeps what is posted."""

    def __init__(self) -> None:
        self.posted: list[bytes] = []

    def post(self, message: bytes) -> None:
        self.posted.append(message)


class Handler:
    """Answers nothing by itself; the session sets `reply`."""

    def __init__(self) -> None:
        self.payloads: list[bytes] = []

    def receive(self, payload: bytes) -> "Handler":
        self.payloads.append(payload)
        return self

    reply: Any = None


class Lab:
    """A session whose messages come from the test."""

    def __init__(self) -> None:
        self.handler, self.bad = Handler(), list[str]()
        self.session = Session("a", "s", "https://x.test", self.handler, bad_frame=self.bad.append)

    def feed(self, data: bytes, *, text: bool = False) -> Wire:
        """Everything that is answered to one message; an event is answered at once."""
        wire, self.handler.reply = Wire(), None
        self.bad.clear()
        self.handler.payloads.clear()
        self.session.on_message(wire, data, text)  # type: ignore[arg-type]
        if self.handler.reply:
            self.handler.reply(200)
        return wire


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with asyncio.Runner() as runner:

        async def new() -> Lab:
            return Lab()

        yield runner.run(new())


@given(data=st.binary(max_size=200), text=st.booleans())
def test_any_bytes(lab: Lab, data: bytes, text: bool) -> None:
    wire = lab.feed(data, text=text)
    assert len(wire.posted) <= 1
    assert all(len(line) < 400 for line in lab.bad)
    assert lab.bad or not text


@given(frame=FRAMES)
def test_any_frame(lab: Lab, frame: Frame) -> None:
    wire = lab.feed(frames.encode(frame))
    answered = frame.method == DATA and bool(lab.handler.payloads or any("acked" in line for line in lab.bad))
    assert answered == bool(wire.posted)
    for ack in map(frames.decode, wire.posted):
        assert frame.headers == ack.headers[:-1]
        assert ("biz_rt", b'{"code": 200}') == (ack.headers[-1][0], ack.payload)
        assert (frame.seq_id, frame.log_id, frame.service) == (ack.seq_id, ack.log_id, ack.service)


@given(frame=FRAMES, cut=st.integers(0, 50))
def test_any_torn_frame(lab: Lab, frame: Frame, cut: int) -> None:
    data = frames.encode(frame)
    assert len(lab.feed(data[: max(0, len(data) - cut)]).posted) <= 1


def test_the_first_header_of_a_name_counts(lab: Lab) -> None:
    headers = [("type", "event"), ("type", "card"), ("message_id", "m")]
    lab.feed(frames.encode(Frame(method=DATA, headers=headers, payload=b"{}")))
    assert [b"{}"] == lab.handler.payloads
