"""What each sink to a database or a broker must do, whatever its type."""

import asyncio
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from listener.journal import redelivery
from listener.journal.reading import reading
from listener.settings.secrets import Secret
from listener.sinks import new_network_sink
from listener.sinks.base import Retry
from listener.sinks.network import Batch, NetworkConfig, Outgoing
from listener.sinks.results import Delivered, Result
from tests.engines.configs import config_of, held
from tests.engines.mock_kafka import MockKafka
from tests.engines.probing import probed
from tests.engines.server import Server
from tests.journal.keeping import opened, until
from tests.network.sending import drained, fill, in_order, sending
from tests.samples import encode, example, received

DEDUPES = {"postgresql", "nats", "redis"}


@dataclass
class Case:
    """A sink's settings beside a server, and the ids that have arrived, in their order."""

    config: Callable[..., NetworkConfig]
    found: Callable[[], list[str]]
    kind: str
    server: Server | None = None


@pytest.fixture(params=["postgresql", "nats", "redis", "kafka"])
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    kind, name = request.param, f"C{abs(hash(request.node.name))}"

    def config(**settings: object) -> NetworkConfig:
        return config_of(kind, **({"timeout": 10.0} | given | settings))

    if kind == "postgresql":
        database = request.getfixturevalue("database")
        given: dict[str, object] = {"dsn": held(database.server.url(database.name))}
        yield Case(config, lambda: [row[0] for row in database.columns("event_id")], kind, database.server)
    elif kind == "nats":
        server = request.getfixturevalue("nats_server")
        given = {"servers": (Secret(server.url()),), "create": True, "stream": name, "subject": f"{name}.{{ticket_id}}"}
        yield Case(config, lambda: server.found(name), kind, server)
    elif kind == "redis":
        server = request.getfixturevalue("redis_server")
        given = {"url": held(server.url()), "stream": name}
        yield Case(config, lambda: [entry["event_id"] for entry in server.entries(name)], kind, server)
    else:
        with MockKafka() as cluster:
            given = {"brokers": cluster.brokers, "topic": cluster.topic}
            yield Case(config, cluster.ids, kind)


def batch(*numbers: int) -> Batch:
    events = [received(encode(example(f"e{n}")), seq=n + 1) for n in numbers]
    return Batch(Outgoing(event, b'{"event_id":"%b"}' % event.event_id.encode()) for event in events)


def results(case: Case, *batches: Batch, between: str = "") -> list[Sequence[Result]]:
    """Of a sink that is opened, given these, and closed twice; `between`: what is called of it before each."""

    async def run() -> list[Sequence[Result]]:
        sink = new_network_sink(case.config())
        await sink.open()
        got = []
        for one in batches:
            if between:
                sink.reopen()
            got.append(await sink.deliver(one))
        await sink.close()
        await sink.close()
        return got

    return asyncio.run(run())


def test_delivers_each_once_and_each_ticket_in_order(case: Case, tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal:
        wanted = fill(journal, 400, 9)
        with sending(journal, case.config(max_events=40)) as worker:
            drained(worker)
    assert sorted(wanted) == sorted(case.found())
    assert in_order(case.found(), 9) or case.kind == "postgresql"  # whose rows are read by seq


def test_order_strict_is_the_journals_order(case: Case, tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal:
        wanted = fill(journal, 100, 9)
        with sending(journal, case.config(order="strict", max_events=7)) as worker:
            drained(worker)
    if case.kind == "kafka":  # the order is that of a ticket's partition
        assert sorted(wanted) == sorted(case.found())
    else:
        assert wanted == case.found()


def test_a_result_for_each_event_also_when_it_is_given_again(case: Case) -> None:
    got = results(case, batch(0), batch(1, 2, 3), batch(0, 1, 2, 3, 4))
    assert [1, 3, 5] == [len(one) for one in got]
    assert all(isinstance(one, Delivered) for each in got for one in each)
    assert {f"e{n}" for n in range(5)} == set(case.found())
    assert (len(case.found()) == 5) == (case.kind in DEDUPES)


def test_an_event_twice_in_one_batch_is_there(case: Case) -> None:
    (got,) = results(case, batch(0, 1, 0))
    assert all(isinstance(one, Delivered) for one in got)
    assert {"e0", "e1"} == set(case.found())
    assert (len(case.found()) == 2) == (case.kind in DEDUPES)


def test_can_be_reopened_at_any_time_and_closed_twice(case: Case) -> None:
    got = results(case, batch(0), batch(1), batch(2), between="reopen")
    assert all(isinstance(one, Delivered) for each in got for one in each)
    assert ["e0", "e1", "e2"] == sorted(case.found())


def test_goes_on_where_it_was(case: Case, tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal:
        for first in (0, 50, 100):
            fill(journal, 50, 9, first=first)
            with sending(journal, case.config()) as worker:
                drained(worker)
    assert sorted(f"e{n}" for n in range(150)) == sorted(case.found())


def test_a_replay_brings_what_is_not_there_and_repeats_nothing_that_is(case: Case, tmp_path: Path) -> None:
    with opened(tmp_path / "j.db") as journal, sending(journal, case.config()) as worker:
        fill(journal, 20, 5)
        drained(worker)
        with reading(journal.path) as connection:
            order, count = redelivery.replay(connection, worker.config.name, 0, redelivery.ALWAYS)
        journal.do(redelivery.placing([order]))
        until(lambda: worker.state.delivered == 20 + count, "the replay", 30)
    assert (20 if case.kind in DEDUPES else 40) == len(case.found())
    assert 20 == len(set(case.found()))


def test_check_can_ask_it_and_hands_it_no_event(case: Case) -> None:
    assert re.search("no event|none was|nothing was|will be made", probed(case.config()))
    results(case, batch(0))
    probed(case.config())
    assert ["e0"] == case.found()


def test_a_hung_end_holds_up_no_stop(case: Case, tmp_path: Path) -> None:
    """Frozen with SIGSTOP; the mock cluster can't be."""
    if case.server is None:
        pytest.skip("the mock cluster lives in this process")
    with opened(tmp_path / "j.db") as journal:
        fill(journal, 5, 5)
        with sending(journal, case.config(retry=Retry(max_delay=0.1))) as worker:
            drained(worker)
            with case.server.frozen():
                fill(journal, 200, 5, first=5)
                until(lambda: worker.requests, "a request hangs")
                worker.abandon()
                assert worker.join(12)
        with sending(journal, case.config()) as worker:
            drained(worker)
    assert 205 == len(set(case.found())) == len(case.found())
