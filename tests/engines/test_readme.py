"""The consumers' examples of the sinks' page work as pasted, but for their addresses."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from listener.settings.secrets import Secret
from listener.sinks.network import NetworkConfig
from tests.engines.configs import config_of, held
from tests.engines.mock_kafka import MockKafka
from tests.engines.redis_server import RedisServer
from tests.engines.server import Database, Nats
from tests.journal.keeping import keep, opened, payload
from tests.network.sending import drained, sending

SINKS = Path(__file__).parents[2] / "listener" / "sinks"
README = (SINKS / "README.md").read_text(encoding="utf-8")


def example(language: str, word: str) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    (found,) = [block for block in blocks if word in block]
    return str(found)


def consumed(program: str) -> str:
    """The first line that the program prints; it goes on for ever."""
    command = [sys.executable, "-u", "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout
        assert running.stderr
        line = running.stdout.readline()
        running.kill()
        assert line, running.stderr.read()
    return line


def stored(tmp_path: Path, wanted: NetworkConfig) -> None:
    with opened(tmp_path / "j.db") as journal:
        keep(journal, payload("e1", text="hello"))
        with sending(journal, wanted) as worker:
            drained(worker)


def test_sql(tmp_path: Path, database: Database) -> None:
    stored(tmp_path, database.config())
    queries = re.sub("--.*", "", example("sql", "helpdesk_tickets")).split(";")
    answers = [database.sql(query) for query in queries if query.strip()]
    assert 3 == len(answers)
    assert "2020-12-23" in answers[0][0][0]


def test_nats(tmp_path: Path) -> None:
    with Nats() as server:
        stored(tmp_path, config_of("nats", servers=(Secret(server.url()),), create=True))
        program = example("python", "import asyncio, json, nats").replace(', user_credentials="nats.creds"', "")
        assert consumed(program.replace("tls://nats.example:4222", server.url())).startswith("e1 ")


def test_redis(tmp_path: Path) -> None:
    with RedisServer() as server:
        stored(tmp_path, config_of("redis", url=held(server.url())))
        program = example("python", "import json, redis")
        program = program.replace("rediss://user:password@redis.example:6379/0", server.url())
        assert consumed(program).startswith("e1 ")


def test_kafka(tmp_path: Path) -> None:
    with MockKafka() as cluster:
        stored(tmp_path, config_of("kafka", brokers=cluster.brokers, topic=cluster.topic))
        program = example("python", "from confluent_kafka").replace("kafka.example:9093", cluster.brokers[0])
        assert consumed(program).startswith("e1 ")


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_each_sinks_settings_are_shown(page: str) -> None:
    text = (SINKS / page).read_text(encoding="utf-8")
    for kind in ("postgresql", "nats", "redis", "kafka"):
        assert f'type = "{kind}"' in text, kind
