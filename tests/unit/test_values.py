"""Durations and sizes: what is accepted, and that what is written can be read again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.settings.values import format_duration, format_size, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("30s", 30), ("10m", 600), ("2h", 7200), ("7d", 604800), ("1.5h", 5400), ("1h30m", 5400)],
)
def test_durations(text: str, seconds: float) -> None:
    assert seconds == parse_duration(text)


@pytest.mark.parametrize(
    "text", ["", "7", "7 d", "-1s", "1w", "1S", "30m1h", "1e3s", "٧d", "1s\n", "9" * 400 + "d", "inf"]
)
def test_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("4096", 4096), ("10MB", 10**7), ("100MiB", 104857600), ("1GiB", 2**30), ("1.5KiB", 1536), ("7B", 7)],
)
def test_sizes(text: str, size: int) -> None:
    assert size == parse_size(text)


@pytest.mark.parametrize("text", ["", "1G", "1M", "-1MiB", "1 GiB", "GiB", "1gib", "1e9", "١MB"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(ValueError, match="not a size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.0001, "0s"),
        (0.25, "250ms"),
        (90.5, "1m30s500ms"),
        (5400, "1h30m"),
        (86400 * 7, "7d"),
        (-60, "-1m"),
    ],
)
def test_durations_for_people(seconds: float, text: str) -> None:
    assert text == format_duration(seconds)


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0B"), (1023, "1023B"), (1500, "1.5KiB"), (2**30, "1GiB"), (5 * 2**40, "5TiB")]
)
def test_sizes_for_people(size: int, text: str) -> None:
    assert text == format_size(size)


@given(st.integers(0, 10**14))
def test_a_duration_that_was_written_reads_the_same(milliseconds: int) -> None:
    assert milliseconds / 1000 == parse_duration(format_duration(milliseconds / 1000))
