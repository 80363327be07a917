"""Runs the listener as a process, and sets what concerns all of it: signals, logs, memory, threads."""

import asyncio
import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from listener.app.running import Bounds, Running
from listener.app.signals import handled
from listener.base.logs import configure, get_logger
from listener.base.threads import DaemonExecutor
from listener.journal import Journal
from listener.settings.config import Settings
from listener.sources.long_connection import Backoff

COLLECT_EVERY = 10_000  # objects; at Python's 700, walks over events that wait for their ack take 5 to 10 % of the CPU
SWITCH_INTERVAL = 0.0005  # seconds; Python's 5 ms: ack p99 of 8 ms while a sink catches up, instead of 3
log = get_logger(__name__)


def run(
    settings: Settings,
    bounds: Bounds | None = None,
    *,
    backoff: Backoff | None = None,
    reread: Callable[[], Settings] | None = None,
    on_built: Callable[[Running], None] = lambda running: None,
) -> Running:
    """Runs the daemon until a signal ends it, its bounds do, or `stop` of what `on_built` gets; blocks.

    Returns the listener that ran, for its figures. Raises ListenError where the daemon can't go on.
    """
    sys.setswitchinterval(SWITCH_INTERVAL)
    gc.set_threshold(COLLECT_EVERY)
    gc.freeze()  # what is loaded by now stays: no collection need walk through it
    with opened(settings) as journal:
        return asyncio.run(_run(settings, journal, on_built, bounds=bounds, backoff=backoff, reread=reread))


@contextmanager
def opened(settings: Settings) -> Iterator[Journal]:
    """Opens and starts the journal of these settings, and closes it at the end. Raises JournalError."""
    wanted = settings.journal
    journal = Journal(wanted.path, keep_s=wanted.keep, max_size=wanted.max_size)
    try:
        journal.start()
        yield journal
    finally:
        if not journal.close():
            log.error("the journal did not finish in time; what was not acked is pushed again")


async def _run(settings: Settings, journal: Journal, on_built: Callable[[Running], None], **more: Any) -> Running:
    asyncio.get_running_loop().set_default_executor(DaemonExecutor())
    running = Running(settings, journal, on_reload=_configure_logs, **more)
    with handled(running.stop, running.reload):
        on_built(running)
        await running.run()
    return running


def _configure_logs(settings: Settings) -> None:
    configure(settings.log.level, settings.log.format)
