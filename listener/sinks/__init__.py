"""Where events go. One file per type; this is the table of them."""

from collections.abc import Callable
from typing import Any

from listener.sinks.base import Sink, SinkConfig, Stopping
from listener.sinks.blocking import Blocking
from listener.sinks.chat import ChatConfig, ChatSink
from listener.sinks.exec import ExecConfig, ExecSink
from listener.sinks.file import FileConfig, FileSink
from listener.sinks.http import HttpConfig, HttpSink
from listener.sinks.log import LogConfig, LogSink
from listener.sinks.network import NetworkConfig, NetworkSink, SinkType
from listener.sinks.stdout import StdoutConfig, StdoutSink

TYPES: dict[str, type[SinkConfig]] = {
    "stdout": StdoutConfig,
    "file": FileConfig,
    "log": LogConfig,
    "http": HttpConfig,
    "chat": ChatConfig,
    "exec": ExecConfig,
}

_SINKS: dict[type[SinkConfig], Callable[[Any, Stopping], Sink]] = {
    StdoutConfig: StdoutSink,
    FileConfig: FileSink,
    LogConfig: LogSink,
    ChatConfig: lambda config, stopping: Blocking(ChatSink(config), stopping),
    ExecConfig: lambda config, stopping: Blocking(ExecSink(config), stopping),
}


def new_sink(config: SinkConfig, stopping: Stopping) -> Sink:
    """The sink that `config` is for; `stopping` is set when waiting for its reader no longer makes sense."""
    return _SINKS[type(config)](config, stopping)


_NETWORK: dict[type[NetworkConfig], Callable[[Any], NetworkSink]] = {HttpConfig: HttpSink}


def new_network_sink(config: NetworkConfig) -> NetworkSink:
    """The sink that `config` is for."""
    return _NETWORK[type(config)](config)


def load_plug_in(name: str) -> bool:
    """Looks for a plug-in's type of that name, among entry points; whether there is one."""
    from importlib.metadata import entry_points

    for point in entry_points(group="helpdesk_listen.sinks", name=name):
        kind = point.load()
        if isinstance(kind, SinkType):
            TYPES[name] = kind.config
            _NETWORK[kind.config] = kind.new
    return name in TYPES
