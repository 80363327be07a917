"""The kafka sink against librdkafka's mock cluster: what the topic holds, and what is said where it can't."""

import json
from pathlib import Path
from typing import Any

import pytest

from listener.base.errors import Unavailable
from listener.sinks.kafka import KafkaConfig
from listener.sinks.network import NetworkConfig
from tests.engines.configs import config_of, held
from tests.engines.mock_kafka import MockKafka
from tests.engines.probing import probed
from tests.engines.server import free_port
from tests.engines.test_postgresql_outages import waits
from tests.journal.keeping import keep, opened, payload, rows
from tests.network.sending import drained, fill, in_order, sending


def config(brokers: tuple[str, ...], **settings: Any) -> NetworkConfig:
    return config_of("kafka", **({"brokers": brokers, "topic": "helpdesk", "timeout": 10.0} | settings))


def test_each_event_once_in_the_order_of_its_ticket_with_key_and_header(tmp_path: Path) -> None:
    with MockKafka() as cluster, opened(tmp_path / "j.db") as journal:
        wanted = fill(journal, 500, 7)
        with sending(journal, config(cluster.brokers, max_events=50)) as worker:
            drained(worker)
        found = cluster.messages()
    ids = [dict(one.headers())["event_id"].decode() for one in found]
    assert sorted(wanted) == sorted(ids)
    assert in_order(ids, 7)
    for one in found:
        record = json.loads(one.value())
        assert one.key().decode() == record["event"]["ticket"]["ticket_id"]
        assert dict(one.headers())["event_id"].decode() == record["event_id"]
    assert 7 == len({(one.partition(), one.key()) for one in found})


def test_an_event_that_is_too_large_is_a_dead_letter_alone(tmp_path: Path) -> None:
    with MockKafka() as cluster, opened(tmp_path / "j.db") as journal:
        fill(journal, 30, 5)
        keep(journal, payload("large", text="x" * 1_100_000))
        fill(journal, 30, 5, first=30)
        with sending(journal, config(cluster.brokers)) as worker:
            drained(worker)
        dead = rows(journal.path, "SELECT seq, reason FROM dead_letters")
        assert [31] == [seq for seq, _ in dead]
        assert "Message size too large" in dead[0][1]
        assert 60 == len(cluster.ids())


def test_no_broker_there_and_then_one(tmp_path: Path) -> None:
    """The address comes from the settings, so here the port opens later: what a broker's start looks like."""
    nobody = f"127.0.0.1:{free_port()}"
    with opened(tmp_path / "j.db") as journal, MockKafka() as cluster:
        fill(journal, 20, 5)
        with sending(journal, config((nobody,), timeout=5.0)) as worker:
            waits(worker, "")
            said = str(worker.state.last_error)
            assert "Connection refused" in said or "no answer" in said, said
            assert worker.state.paused is None
        with pytest.raises(Unavailable, match=f"{nobody}: helpdesk: .*Connection refused"):
            probed(config((nobody,), timeout=5.0))
        with sending(journal, config(cluster.brokers)) as worker:
            drained(worker)
        assert 20 == len(set(cluster.ids()))


def test_a_topic_that_is_missing_is_told_and_not_made(tmp_path: Path) -> None:
    with MockKafka() as cluster, opened(tmp_path / "j.db") as journal:
        wanted = config(cluster.brokers, topic="misspelt", timeout=2.0)
        with pytest.raises(Unavailable, match=r"misspelt: .*nknown topic"):
            probed(wanted)
        assert "4 partitions" in probed(config(cluster.brokers))
        fill(journal, 20, 5)
        with sending(journal, wanted) as worker:
            waits(worker, "nknown topic")
            assert worker.state.paused


def test_settings() -> None:
    assert KafkaConfig(name="k", brokers=("127.0.0.1:9092", "localhost:9093"), topic="t").is_plain
    assert not KafkaConfig(name="k", brokers=("127.0.0.1:9092", "k.example:9093"), topic="t").is_plain
    assert KafkaConfig(name="k", brokers=("k.example:9093",), topic="t", allow_plaintext=True).is_plain
    with pytest.raises(ValueError, match="go together"):
        KafkaConfig(name="k", brokers=("k.example:9093",), topic="t", password=held("a-password"))
