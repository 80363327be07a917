"""Where events go. One file per type; this is the table of them."""

from collections.abc import Callable
from typing import Any

from listener.sinks.base import Sink, SinkConfig, Stopping
from listener.sinks.blocking import Blocking
from listener.sinks.chat import ChatConfig, ChatSink
from listener.sinks.exec import ExecConfig, ExecSink
from listener.sinks.file import FileConfig, FileSink
from listener.sinks.log import LogConfig, LogSink
from listener.sinks.stdout import StdoutConfig, StdoutSink

TYPES: dict[str, type[SinkConfig]] = {
    "stdout": StdoutConfig,
    "file": FileConfig,
    "log": LogConfig,
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
