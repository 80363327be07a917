"""The three standard streams: some may be closed (`2>&-`), on a disk that is full, or of a locale without 你 or 🎉.

A descriptor below 3 that is closed is the next that the kernel hands out: to the journal's lock or a sink's file, which
would then be taken for standard output or standard error.
"""

import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import TextIO


def open_what_is_closed() -> None:
    """Opens each standard descriptor that is closed; to be called before anything else opens a file.

    Standard output becomes a pipe that nobody reads, so that it is still told as closed. `sys.stdout` stays None.
    """
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            _open(fd)
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115 as long as the process
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115 as long as the process


def escape_what_the_locale_lacks() -> None:
    """Has standard output show a character that its encoding lacks as an escape, as standard error does anyway."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def discard_unsaid() -> None:
    """Drops what standard error did not take: the interpreter would try once more, and exit with 120 for it."""
    try:
        sys.stderr.flush()
    except (OSError, ValueError):
        discard(sys.stderr)


def discard(stream: TextIO) -> None:
    """Discards what is still buffered: the interpreter would write it at its exit, and fail once more."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _open(fd: int) -> None:
    if fd == 1:
        reader, writer = os.pipe()
        os.close(reader)
    else:
        writer = os.open(os.devnull, os.O_RDWR)
    if writer != fd:
        os.dup2(writer, fd)
        os.close(writer)
    os.set_inheritable(fd, True)
