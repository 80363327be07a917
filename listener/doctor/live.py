"""Waits for a real event, the proof of the whole chain: somebody writes in the helpdesk and sees it arrive."""

import threading
import time
from collections.abc import Callable

import msgspec

from listener.app.daemon import opened, run
from listener.app.running import Bounds
from listener.base.errors import JournalError, ListenError
from listener.base.threads import DaemonExecutor
from listener.doctor.report import StepReport
from listener.journal.inspect import holder, read_state
from listener.settings.config import Settings

LOOK = 0.25  # seconds
NAME = "event"
REMEDY = (
    "the app may not be subscribed (helpdesk-listen subscribe), the event not added or the version not published "
    "(事件与回调 / Events & Callbacks), or another client takes the events; 日志检索 / Log Search shows what was pushed"
)


def wait_for_event(settings: Settings, seconds: float, tell: Callable[[str], None]) -> StepReport:
    """Waits until an event is in the journal, at most `seconds`, and reports on that; blocks.

    Where the service runs, it receives and forwards as ever, and its journal is watched. Where none does, a listener
    runs meanwhile that forwards nothing: what comes is kept, and the next `start` hands it to the sinks.
    """
    running = holder(settings.journal.path) is not None
    tell("send a message in the helpdesk now / 现在请在服务台里发一条消息 …")
    try:
        came = _watched(settings, seconds, threading.Event()) if running else _listened(settings, seconds)
    except ListenError as e:
        return StepReport(NAME, "failed", str(e), e.hint)
    if came is None:
        return StepReport(NAME, "failed", f"no event within {seconds:g} s", REMEDY)
    where = "the service has it" if running else "it is in the journal; the next `start` hands it to the sinks"
    return StepReport(NAME, "ok", f"arrived after {came:.1f} s: {where}")


def _watched(settings: Settings, seconds: float, stop: threading.Event) -> float | None:
    """Returns the seconds until the journal had another event; None where none came, or `stop` was set."""
    began = time.monotonic()
    before = _last_seq(settings)
    while time.monotonic() - began < seconds:
        if stop.wait(LOOK):
            break
        if _last_seq(settings) > before:
            return time.monotonic() - began
    return None


def _last_seq(settings: Settings) -> int:
    try:
        return read_state(settings.journal.path).last_seq
    except JournalError:
        if settings.journal.path.exists():
            raise
        return 0


def _listened(settings: Settings, seconds: float) -> float | None:
    """Returns the same of a daemon without sinks, whose cursors are put into the journal before: they miss nothing."""
    with opened(settings) as journal:
        journal.attach((sink.name, sink.start == "earliest") for sink in settings.sinks)
    stop = threading.Event()
    watching = DaemonExecutor().submit(_watched, settings, seconds, stop)
    without_sinks = msgspec.structs.replace(settings, sinks=())
    try:
        run(
            without_sinks,
            Bounds(seconds=seconds),
            on_built=lambda running: watching.add_done_callback(lambda _: running.stop()),
        )
    finally:
        stop.set()
    came: float | None = watching.result(2 * LOOK)
    return came
