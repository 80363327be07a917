"""structlog to stderr: console style on a terminal, JSON lines otherwise, journald's priority prefix under systemd.

stdout is data; nothing here writes to it. Every line passes `redact`.
"""

import logging
import os
import sys
from collections.abc import MutableMapping
from typing import Any, Literal

import structlog

from listener.redact import redact

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "console", "json"]
_PRIORITY = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}  # syslog(3)
_QUIET = ("websockets", "urllib3", "asyncio")  # their DEBUG prints frames and URLs


def get_logger(name: str) -> Any:
    """A structlog logger; `configure` decides what becomes of its lines."""
    return structlog.get_logger(name)


def configure(level: Level = "info", style: Format = "auto") -> None:
    """Sets up structlog and the standard library's root logger alike."""
    renderer = _renderer(style)
    shared: list[Any] = [structlog.stdlib.add_log_level, _time, _drop_empty]
    structlog.configure(
        processors=[*shared, _redacted, structlog.processors.format_exc_info, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _redacted, renderer],
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.INFO, logging.getLevelName(level.upper())))


def _renderer(style: Format) -> Any:
    journald = bool(os.environ.get("JOURNAL_STREAM"))
    if style == "console" or (style == "auto" and sys.stderr.isatty()):
        colours = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
        return structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=structlog.dev.plain_traceback)
    render = structlog.processors.JSONRenderer(ensure_ascii=False)
    return _with_priority(render) if journald else render


def _with_priority(render: Any) -> Any:
    """sd-daemon(3): a `<N>` prefix gives the line its priority, so that `journalctl -p err` works."""

    def renderer(logger: Any, method: str, event: MutableMapping[str, Any]) -> str:
        priority = _PRIORITY.get(str(event.get("level")), 6)
        return f"<{priority}>{render(logger, method, event)}"

    return renderer


_time = structlog.processors.TimeStamper(fmt="iso", utc=True)


def _drop_empty(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: value for key, value in event.items() if value not in (None, "")}


def _redacted(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: redact(value) if isinstance(value, str) else value for key, value in event.items()}
