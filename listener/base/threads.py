"""Runs calls that may hang, such as a name lookup, in threads that hold up neither the loop nor the exit."""

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any


class DaemonExecutor(ThreadPoolExecutor):
    """Runs each call in a daemon thread. The standard pool's threads are joined at exit, however long they hang."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        future: Future[Any] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as e:
                future.set_exception(e)

        threading.Thread(target=run, name="may-hang", daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Returns at once, without waiting for any thread."""


def give_way(niceness: int) -> None:
    """Lowers the priority of the calling thread, on Linux alone (setpriority(2))."""
    if sys.platform == "linux":
        with suppress(OSError):  # some sandboxes forbid it
            os.setpriority(os.PRIO_PROCESS, 0, min(19, os.getpriority(os.PRIO_PROCESS, 0) + niceness))
