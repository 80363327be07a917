"""The stable interface for plug-ins: every name here stays as it is within a major version.

A plug-in names a `SinkType` as an entry point of the group `helpdesk_listen.sinks`; the entry point's name is the
sink's type in config.toml, and the fields of its `NetworkConfig` are the settings.
"""

from listener.settings.rules import Address, Count, Duration, Size, Text
from listener.settings.secrets import SecretSource
from listener.sinks.network import Batch, NetworkConfig, NetworkSink, Outgoing, Probing, SinkType, clean, proxy_for, tls
from listener.sinks.results import Delivered, Rejected, Result, TryAgain

__all__ = [
    "Address",
    "Batch",
    "Count",
    "Delivered",
    "Duration",
    "NetworkConfig",
    "NetworkSink",
    "Outgoing",
    "Probing",
    "Rejected",
    "Result",
    "SecretSource",
    "SinkType",
    "Size",
    "Text",
    "TryAgain",
    "clean",
    "proxy_for",
    "tls",
]
