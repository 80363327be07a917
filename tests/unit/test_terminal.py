"""Colours: on a terminal that has them and a user who wants them, and nowhere else."""

import io
import os
from collections.abc import Iterator
from typing import TextIO

import pytest

from listener.base.terminal import has_colours, is_terminal


@pytest.fixture
def terminal() -> Iterator[TextIO]:
    keeper, end = os.openpty()
    with os.fdopen(end, "w") as stream:
        yield stream
    os.close(keeper)


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [({}, True), ({"NO_COLOR": ""}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
)
def test_a_terminal_has_colours_unless_told_otherwise(
    terminal: TextIO, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], coloured: bool
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert is_terminal(terminal)
    assert coloured == has_colours(terminal)


@pytest.mark.parametrize("stream", [None, io.StringIO()])
def test_what_is_no_terminal_has_none(stream: TextIO | None) -> None:
    assert (False, False) == (is_terminal(stream), has_colours(stream))
