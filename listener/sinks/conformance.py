"""Tests what every network sink must do, a plug-in's too: the conformance suite. It needs pytest.

An author names the other end of the sink, an `OtherEnd`, as an entry point of the group `helpdesk_listen.conformance`,
under the name of the sink's type, and runs

    pytest --pyargs listener.sinks.conformance

or subclasses `Conformance` in a test of their own. The sink is read from settings, and works under the daemon's worker.
"""

import asyncio
import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol, Self

import pytest

from listener.base.errors import ConfigError
from listener.delivery.formatting import Formatter
from listener.delivery.network_worker import NetworkWorker
from listener.delivery.preparing import Preparer
from listener.event import Received, identify
from listener.journal import Journal, Pending
from listener.settings.config import load
from listener.sinks import new_network_sink
from listener.sinks.network import Batch, NetworkConfig, Outgoing
from listener.sinks.results import Delivered, Result

COUNT, TICKETS = 60, 6
PATIENCE = 60.0  # seconds that a condition may take on a busy machine
ENDS = "helpdesk_listen.conformance"
HOSTILE = (
    *("\x1b[31mred\x07", "\u202egnp.exe", "<at user_id='all'>", "<!channel>", "[a](http://b)", "nul\x00", "\ud800"),
    "x" * 50_000,
)


class OtherEnd(Protocol):
    """What the sink delivers to, on this machine; it runs inside its `with` block."""

    def __init__(self, directory: Path) -> None:
        """Makes the other end; `directory` is empty, and its own."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def settings(self) -> Mapping[str, object]:
        """Returns the sink's settings besides name and type; a dotted name is one of a table's."""
        ...

    def got(self) -> list[str]:
        """Returns the `event_id` of each record that arrived, in the order of arrival, repetitions included."""
        ...

    def down(self) -> AbstractContextManager[object]:
        """Is unreachable, or refuses everybody, inside its `with` block."""
        ...

    def hanging(self) -> AbstractContextManager[object]:
        """Takes what is sent and never answers, inside its `with` block."""
        ...


class Conformance:
    """The tests; a subclass sets the `type` of sink, and its `other_end`."""

    type: str
    other_end: Callable[[Path], OtherEnd]

    @pytest.fixture
    def case(self, tmp_path: Path) -> Iterator["Case"]:
        (tmp_path / "end").mkdir()
        with type(self).other_end(tmp_path / "end") as end:
            yield Case(self.type, end, tmp_path)

    def test_its_settings_are_checked(self, case: "Case") -> None:
        assert case.config().type == self.type
        for name, value in (("no_such_setting", 1), ("in_flight", 0), ("batch.max_events", 0), ("timeout", "soon")):
            with pytest.raises(ConfigError, match=name):
                case.config(**{name: value})

    def test_a_result_for_each_event(self, case: "Case") -> None:
        config = case.config()
        size = min(3, config.batch.max_events)

        async def once() -> list[Result]:
            sink = new_network_sink(config)
            await sink.open()
            try:
                return list(await sink.deliver(batch(config, size)))
            finally:
                await sink.close()

        assert [Delivered()] * size == asyncio.run(once())
        assert [f"e{n}" for n in range(size)] == case.got(size)

    def test_it_is_opened_reopened_and_closed_at_any_time(self, case: "Case") -> None:
        async def all_of_it() -> None:
            sink = new_network_sink(case.config())
            await sink.close()
            for _ in range(2):
                await sink.open()
                sink.reopen()
                await sink.open()
                await sink.close()
                await sink.close()

        asyncio.run(all_of_it())
        assert case.end.got() == []

    def test_each_event_arrives_once_and_each_ticket_in_order(self, case: "Case") -> None:
        with case.journal() as journal, case.worker(journal) as worker:
            case.drained(worker, journal)
        assert len(case.got(COUNT)) == COUNT
        assert in_order(case.end.got())

    def test_a_stop_and_a_start_lose_and_repeat_nothing(self, case: "Case") -> None:
        with case.journal() as journal:
            with case.worker(journal) as worker:
                until(lambda: worker.state.delivered, "some are delivered")
            with case.worker(journal) as worker:
                case.drained(worker, journal)
        assert len(case.got(COUNT)) == COUNT

    def test_a_reload_loses_and_repeats_nothing(self, case: "Case") -> None:
        with case.journal() as journal, case.worker(journal) as worker:
            for _ in range(3):
                worker.reopen()
                until(lambda: worker.state.delivered, "some are delivered")
            case.drained(worker, journal)
        assert len(case.got(COUNT)) == COUNT

    def test_an_end_that_is_down_costs_nothing_but_time(self, case: "Case") -> None:
        with case.journal() as journal:
            with case.end.down(), case.worker(journal) as worker:
                until(lambda: worker.state.retries > 1, "it fails")
                assert (worker.state.delivered, worker.state.dead_letters) == (0, 0)
            with case.worker(journal) as worker:
                case.drained(worker, journal)
        assert {f"e{n}" for n in range(COUNT)} == set(case.end.got())
        assert in_order(case.end.got())

    def test_an_end_that_hangs_holds_up_no_stop(self, case: "Case") -> None:
        with case.journal() as journal, case.end.hanging():
            worker = case.new_worker(journal, timeout="1m")
            worker.start()
            until(lambda: worker.requests or worker.state.delivered, "it sends")
            worker.stop()
            worker.join(3.0)
            worker.abandon()
            assert worker.join(2.0), "a stop takes more than 5 s"

    def test_what_strangers_write_breaks_nothing(self, case: "Case") -> None:
        events = [payload(n, text) for n, text in enumerate(HOSTILE)]
        with case.journal(events) as journal, case.worker(journal) as worker:
            case.drained(worker, journal)
            assert len(HOSTILE) == worker.state.delivered + worker.state.dead_letters


class Case:
    """A sink of one type, and its other end."""

    def __init__(self, kind: str, end: OtherEnd, directory: Path) -> None:
        self.kind, self.end, self.directory = kind, end, directory

    def config(self, **more: object) -> NetworkConfig:
        """Returns the settings as config.toml gives them. Raises ConfigError."""
        given = {"name": "sink", "type": self.kind, "retry.max_delay": "50ms"} | dict(self.end.settings()) | more
        lines = [f"{name} = {json.dumps(value)}" for name, value in given.items()]
        file = self.directory / "config.toml"
        file.write_text("\n".join(["[[sinks]]", *lines, ""]), encoding="utf-8")
        env = {"FEISHU_APP_ID": "cli_a", "FEISHU_APP_SECRET": "a-secret", "STATE_DIRECTORY": str(self.directory)}
        (config,) = load(file, env).sinks
        assert isinstance(config, NetworkConfig)
        return config

    @contextmanager
    def journal(self, events: list[bytes] | None = None) -> Iterator[Journal]:
        journal = Journal(self.directory / "journal.db")
        journal.start()
        try:
            for one in events or [payload(n) for n in range(COUNT)]:
                journal.append(Pending(one, *identify(one)))
            journal.flush()
            yield journal
        finally:
            journal.close()

    def new_worker(self, journal: Journal, **more: object) -> NetworkWorker:
        config = self.config(**more)
        cursor = journal.attach([(config.name, True)])[config.name]
        sink, formatter = new_network_sink(config), Formatter(share=False)
        return NetworkWorker(config, sink, journal, cursor, formatter=formatter, abandon=threading.Event())

    @contextmanager
    def worker(self, journal: Journal) -> Iterator[NetworkWorker]:
        worker = self.new_worker(journal)
        worker.start()
        try:
            yield worker
        finally:
            worker.abandon()
            assert worker.join(10.0)
            assert not worker.died

    def drained(self, worker: NetworkWorker, journal: Journal) -> None:
        until(lambda: worker.state.seq >= journal.last_seq and not worker.state.waiting, "all is delivered")

    def got(self, count: int) -> list[str]:
        """Waits until that many records have arrived, and returns them."""
        until(lambda: len(self.end.got()) >= count, f"{count} events arrive")
        return self.end.got()


def payload(number: int, text: str = "hello") -> bytes:
    """Returns a guest's message, with the id e0, e1, …"""
    event = {"ticket_message_id": str(number), "sender_type": 2, "msg_type": "text", "text": text}
    event["ticket"] = {"ticket_id": f"t{number % TICKETS}", "status": 2}
    header = {
        "event_id": f"e{number}",
        "event_type": "helpdesk.ticket_message.created_v1",
        "create_time": "1608725989000",
    }
    return json.dumps({"schema": "2.0", "header": header | {"app_id": "cli_a"}, "event": event}).encode()


def batch(config: NetworkConfig, count: int) -> Batch:
    """Returns events in the form that the sink's settings give them."""
    events = [Received(n + 1, f"e{n}", "", 1_608_725_989_000, payload(n)) for n in range(count)]
    preparer = Preparer(config, Formatter(share=False), threading.Event())
    try:
        return Batch(Outgoing(line.event, line.data) for line in preparer.prepare(events).lines)
    finally:
        preparer.close()


def in_order(got: list[str]) -> bool:
    """Returns whether the events of each ticket came one after the other, at their first arrival."""
    tickets: dict[int, list[int]] = defaultdict(list)
    for one in dict.fromkeys(got):
        tickets[int(one[1:]) % TICKETS].append(int(one[1:]))
    return all(numbers == sorted(numbers) for numbers in tickets.values())


def until(holds: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, f"after {PATIENCE:g} s still not: {what}"
        time.sleep(0.01)


def pytest_generate_tests(metafunc: Any) -> None:
    """Runs the suite for each other end that is installed."""
    if metafunc.cls is TestInstalled:
        metafunc.parametrize("installed", entry_points(group=ENDS), ids=lambda point: point.name)


class TestInstalled(Conformance):
    @pytest.fixture
    def case(self, tmp_path: Path, installed: Any) -> Iterator[Case]:
        (tmp_path / "end").mkdir()
        with installed.load()(tmp_path / "end") as end:
            yield Case(installed.name, end, tmp_path)

    def test_its_settings_are_checked(self, case: Case) -> None:
        self.type = case.kind
        super().test_its_settings_are_checked(case)
