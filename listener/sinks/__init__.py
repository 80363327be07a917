"""Delivers events to where they go. Each type of sink has a file; `TYPES` is their table, plug-ins included."""

from importlib.util import find_spec

from listener.sinks.base import Sink, SinkConfig, Stopping
from listener.sinks.chat import ChatConfig, ChatSink
from listener.sinks.exec import ExecConfig, ExecSink
from listener.sinks.file import FileConfig, FileSink
from listener.sinks.http import HttpConfig, HttpSink
from listener.sinks.kafka import KafkaConfig, KafkaSink
from listener.sinks.log import LogConfig, LogSink
from listener.sinks.nats import NatsSink
from listener.sinks.nats_config import NatsConfig
from listener.sinks.network import NetworkConfig, NetworkSink, SinkType
from listener.sinks.postgresql import PostgresqlConfig, PostgresqlSink
from listener.sinks.redis import RedisConfig, RedisSink
from listener.sinks.stdout import StdoutConfig, StdoutSink

TYPES: dict[str, SinkType] = {
    "stdout": SinkType(StdoutConfig, StdoutSink),
    "file": SinkType(FileConfig, FileSink),
    "log": SinkType(LogConfig, LogSink),
    "http": SinkType(HttpConfig, HttpSink),
    "chat": SinkType(ChatConfig, ChatSink),
    "exec": SinkType(ExecConfig, ExecSink),
    "postgresql": SinkType(PostgresqlConfig, PostgresqlSink, needs="asyncpg"),
    "nats": SinkType(NatsConfig, NatsSink, needs="nats"),
    "redis": SinkType(RedisConfig, RedisSink, needs="redis"),
    "kafka": SinkType(KafkaConfig, KafkaSink, needs="confluent_kafka"),
}
"""By the name that stands in config.toml. A type is one entry here, its file, and its part of config.example.toml."""


def new_sink(config: SinkConfig, stopping: Stopping) -> Sink:
    """Makes a local sink; `stopping` is set when waiting for its reader makes no sense any more."""
    made: Sink = TYPES[config.type].new(config, stopping)
    return made


def new_network_sink(config: NetworkConfig) -> NetworkSink:
    """Makes a sink behind a network."""
    made: NetworkSink = TYPES[config.type].new(config)
    return made


def missing_extra(kind: str) -> str | None:
    """Returns the command that installs the library a type needs, or None where it is installed."""
    needs = TYPES[kind].needs
    return f'pip install "helpdesk-listen[{kind}]"' if needs and find_spec(needs) is None else None


def load_plug_in(name: str) -> bool:
    """Looks for a plug-in's type of that name among the entry points; returns whether there is one."""
    from importlib.metadata import entry_points

    for point in entry_points(group="helpdesk_listen.sinks", name=name):
        kind = point.load()
        if isinstance(kind, SinkType):
            TYPES[name] = kind
    return name in TYPES


def load_plug_ins() -> None:
    """Adds the types of all installed plug-ins to the table."""
    from importlib.metadata import entry_points

    for name in entry_points(group="helpdesk_listen.sinks").names:
        load_plug_in(name)
