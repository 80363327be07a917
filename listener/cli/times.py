"""Converts points in time from what people write, and to what they read: local time. Pure but for the time zone."""

from datetime import datetime, timedelta

from listener.settings.values import parse_duration

FORMS = '"2h" (ago), "09:00" (today), "2026-11-22", "2026-11-22 09:00" or "2026-11-22T09:00:00Z"'


def parse_time(text: str, now_ms: int) -> int:
    """Returns the Unix ms of "2h" (ago), of a clock time of today, or of a date and time. Raises ValueError.

    The time is local unless the text names an offset.
    """
    try:
        return now_ms - round(parse_duration(text) * 1000)
    except ValueError:
        return _absolute(text.strip(), datetime.fromtimestamp(now_ms / 1000).astimezone())


def _absolute(text: str, now: datetime) -> int:
    today = f"{now:%Y-%m-%d} "
    for candidate in (text, today + text):
        try:
            return round(datetime.fromisoformat(candidate).timestamp() * 1000)  # a naive one is local time
        except (ValueError, OverflowError, OSError):
            continue
    raise ValueError(f"not a time: write one as {FORMS}")


def local(ms: int, now_ms: int) -> str:
    """Returns "09:30:01" for today, else "2026-11-21 09:30"; the number itself where no calendar has it."""
    try:
        at = datetime.fromtimestamp(ms / 1000).astimezone()
    except (ValueError, OverflowError, OSError):
        return str(ms)
    now = datetime.fromtimestamp(now_ms / 1000).astimezone()
    is_today = at.date() == now.date() and abs(now - at) < timedelta(days=1)
    return f"{at:%H:%M:%S}" if is_today else f"{at:%Y-%m-%d %H:%M}"
