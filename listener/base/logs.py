"""Sets up structlog on stderr: console style on a terminal, else JSON lines, with journald's priorities under systemd.

stdout is data; nothing here writes to it. Every line passes `redact`.
"""

import errno
import json
import logging
import os
import select
import sys
import time
from collections.abc import Callable, MutableMapping
from typing import Any, Literal

from listener.base.imports import without_modules
from listener.base.redact import redact
from listener.base.systemd import stderr_is_journal
from listener.base.terminal import has_colours, is_terminal
from listener.base.text import on_one_line, printable_lines

with without_modules("rich", "greenlet"):  # structlog would load both (0.13 s, 9 MB), unused here
    import structlog

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "console", "json"]
_PRIORITY = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}  # syslog(3)
_QUIET = {"websockets": logging.INFO, "asyncio": logging.INFO, "urllib3": logging.ERROR}
"""The lowest level of these: their DEBUG prints frames and URLs; what urllib3 warns of, with a traceback and the peer's
bytes, is in the error that its caller gets."""
_SAME = 10  # lines a minute that say the same


def get_logger(name: str, *, every_line: bool = False) -> Any:
    """Returns a structlog logger, as `configure` sets it up; with `every_line` its lines are data: none is dropped."""
    return structlog.get_logger(name, "data", _every_line=True) if every_line else structlog.get_logger(name)


class RateLimit:
    """Lets the first few lines of a minute pass and counts the rest: a flood must not become a flood of lines."""

    def __init__(self, lines: int = 5, every: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._lines, self._every, self._clock = lines, every, clock
        self._since, self._shown, self._kept_back = clock(), 0, 0

    def take(self) -> int | None:
        """Returns how many lines were dropped since the last one, or None where this one is to be dropped, too."""
        now = self._clock()
        if now - self._since >= self._every:
            self._since, self._shown = now, 0
        self._shown += 1
        if self._shown > self._lines:
            self._kept_back += 1
            return None
        kept_back, self._kept_back = self._kept_back, 0
        return kept_back


class Repeats:
    """Drops lines that repeat too often, each kind of line by itself; debug lines all pass."""

    def __init__(self) -> None:
        self._limits: dict[tuple[object, ...], RateLimit] = {}

    def __call__(self, _logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Passes or drops a line, as a structlog processor."""
        if not event.pop("_every_line", False) and method != "debug":
            kept_back = self._take(method, event.get("event"), event.get("sink"))
            if kept_back is None:
                raise structlog.DropEvent
            if kept_back:
                event.setdefault("more_since_last", kept_back)
        return event

    def filter(self, record: logging.LogRecord) -> bool:
        """Passes or drops a line, as a filter of the standard library's handlers."""
        return record.levelno <= logging.DEBUG or self._take(record.name, record.levelno, record.msg) is not None

    def _take(self, *kind: object) -> int | None:
        if kind not in self._limits and len(self._limits) >= 256:
            self._limits.clear()
        return self._limits.setdefault(kind, RateLimit(_SAME)).take()


class _Lossy:
    """Standard error, where a full disk, a closed terminal or a lost reader ends nothing but the log.

    It does not wait for a reader that has stopped reading: the loop that answers pings writes here, too.
    """

    def write(self, text: str) -> None:
        if self._takes_more():
            self._attempt(sys.stderr.write, text)

    def flush(self) -> None:
        self._attempt(sys.stderr.flush)

    def _takes_more(self) -> bool:
        try:
            return bool(select.select([], [sys.stderr], [], 0)[1])
        except (OSError, ValueError):  # no descriptor, or none that can be asked
            return True

    def _attempt(self, call: Callable[..., object], *arguments: str) -> None:
        try:
            call(*arguments)
        except OSError as e:
            if e.errno in (errno.EPIPE, errno.EIO):  # for good: what is buffered would fail again at the exit
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


_lossy: Any = _Lossy()


def _new_logger(_name: str = "", kind: str = "") -> Any:
    """Makes a logger for structlog; only lines that are data raise an error where they can't be written."""
    return structlog.WriteLogger(sys.stderr if kind == "data" else _lossy)


def configure(level: Level = "info", style: Format = "auto", *, to_journald: bool | None = None) -> None:
    """Sets up structlog and the standard library's root logger alike.

    `to_journald` says whether each line begins with its priority; None: only where stderr leads to systemd's journal.
    """
    renderer, repeats = _renderer(style, stderr_is_journal() if to_journald is None else to_journald), Repeats()
    shared: list[Any] = [structlog.stdlib.add_log_level, _time, _drop_empty]
    structlog.configure(
        processors=[repeats, *shared, structlog.processors.format_exc_info, _redacted, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_new_logger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(_lossy)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _redacted,
                renderer,
            ],
        )
    )
    handler.addFilter(repeats.filter)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name, lowest in _QUIET.items():
        logging.getLogger(name).setLevel(max(lowest, logging.getLevelName(level.upper())))


def _one_line_of_json(value: Any, **settings: Any) -> str:
    return on_one_line(json.dumps(value, ensure_ascii=False, **settings).encode("utf-8", "replace")).decode()


def _renderer(style: Format, to_journald: bool) -> Any:
    render: Any = structlog.processors.JSONRenderer(_one_line_of_json)
    if style == "console" or (style == "auto" and is_terminal(sys.stderr)):
        render = structlog.dev.ConsoleRenderer(
            colors=has_colours(sys.stderr), exception_formatter=structlog.dev.plain_traceback
        )
    return _with_priority(render) if to_journald else render


def _with_priority(render: Any) -> Any:
    """Wraps a renderer so that a `<N>` prefix gives the line its priority for `journalctl -p err` (sd-daemon(3))."""

    def renderer(logger: Any, method: str, event: MutableMapping[str, Any]) -> str:
        prefix = f"<{_PRIORITY.get(str(event.get('level')), 6)}>"
        return "\n".join(prefix + line for line in str(render(logger, method, event)).splitlines())

    return renderer


_time = structlog.processors.TimeStamper(fmt="iso", utc=True)


def _drop_empty(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: value for key, value in event.items() if value not in (None, "")}


def _redacted(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: printable_lines(redact(value)) if isinstance(value, str) else value for key, value in event.items()}
