"""helpdesk-listen: Feishu helpdesk ticket messages, from the long connection to your sinks."""

__version__ = "0.1.0"
