"""Handles all signals: SIGTERM and SIGINT stop, and a second one ends the process at once; SIGHUP reloads.

With a controlling terminal SIGHUP stops, too: a closed ssh window must not leave an orphan that takes events.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from listener.base.logs import get_logger

log = get_logger(__name__)
_asked_early: list[int] = []  # signals that asked for a reload before there was anything to reload


def stoppable_at_once() -> None:
    """Has SIGTERM and SIGINT end the process with 0 while it is still starting, before `handled`.

    It uses `_exit`, which is as safe as a kill: an exception can come up inside an import or a lock, which swallow or
    disguise it. A SIGHUP that asks for a reload does not end the process, as is its default: the settings are read once
    more then.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    if not has_terminal():
        signal.signal(signal.SIGHUP, lambda number, _: _asked_early.append(number))


@contextmanager
def handled(stop: Callable[[], None], reload: Callable[[], None]) -> Iterator[None]:
    """Calls `stop` and `reload` in the running loop when their signals come."""
    loop = asyncio.get_running_loop()

    def first_stop(name: str) -> None:
        stop()  # before all else: a log on a closed terminal fails
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        log.info("stopping", signal=name)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, first_stop, number.name)
    if has_terminal():
        loop.add_signal_handler(signal.SIGHUP, first_stop, "SIGHUP")
    else:
        loop.add_signal_handler(signal.SIGHUP, reload)
        if _asked_early:
            _asked_early.clear()
            loop.call_soon(reload)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.remove_signal_handler(number)


def has_terminal() -> bool:
    """Returns whether the process has a controlling terminal; called at the start, since a closed one can't be seen."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
