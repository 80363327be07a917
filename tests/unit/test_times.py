"""Points in time as people write and read them."""

from datetime import UTC, datetime

import pytest

from listener.cli.times import local, parse_time

NOW = round(datetime(2026, 11, 22, 1, 30, tzinfo=UTC).timestamp() * 1000)  # 09:30 in Shanghai


pytestmark = pytest.mark.usefixtures("in_shanghai")


def utc(*of: int) -> int:
    return round(datetime(*of, tzinfo=UTC).timestamp() * 1000)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2h", NOW - 7_200_000),
        ("1h30m", NOW - 5_400_000),
        ("0s", NOW),
        ("2026-11-22 09:00", utc(2026, 11, 22, 1, 0)),
        ("2026-11-22T09:00:30", utc(2026, 11, 22, 1, 0, 30)),
        ("2026-11-22T09:00:00Z", utc(2026, 11, 22, 9, 0)),
        ("2026-11-22T09:00:00+01:00", utc(2026, 11, 22, 8, 0)),
        ("2026-11-21", utc(2026, 11, 20, 16, 0)),
        ("09:00", utc(2026, 11, 22, 1, 0)),
        (" 09:00:05 ", utc(2026, 11, 22, 1, 0, 5)),
    ],
)
def test_is_read(text: str, expected: int) -> None:
    assert expected == parse_time(text, NOW)


@pytest.mark.parametrize("text", ["", "soon", "2 hours", "-2h", "2026-13-01", "25:00", "2026-11-22 09:00 UTC", "7"])
def test_anything_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="2h"):
        parse_time(text, NOW)


@pytest.mark.parametrize(
    ("ms", "expected"),
    [
        (NOW, "09:30:00"),
        (NOW - 9 * 3_600_000, "00:30:00"),
        (NOW - 10 * 3_600_000, "2026-11-21 23:30"),
        (NOW + 86_400_000, "2026-11-23 09:30"),
        (10**18, "1000000000000000000"),
    ],
)
def test_is_written_in_local_time(ms: int, expected: str) -> None:
    assert expected == local(ms, NOW)
