"""Decides whether a stream is a terminal, and whether it shows colours."""

import os
from typing import TextIO


def is_terminal(stream: TextIO | None) -> bool:
    """Returns whether the stream is a terminal; a standard stream that was closed before the start is None."""
    return stream is not None and stream.isatty()


def has_colours(stream: TextIO | None) -> bool:
    """Returns whether to colour what goes there: not where NO_COLOR is set (https://no-color.org) or TERM is dumb."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
