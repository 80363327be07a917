"""When a silence is unusual, by the real constants."""

import random

from listener.sources.silence import PAUSES, SilenceDetector


def looks(detector: SilenceDetector, pauses: list[float], start: float = 0.0) -> tuple[float, int]:
    """Shows it events with these pauses, looking each second; returns the last event's time and the silences told."""
    now, told, count = start, 0, 1
    told += detector.look(count, now)
    for pause in pauses:
        due = now + pause
        while (now := now + 1.0) < due:
            told += detector.look(count, now)
        count += 1
        told += detector.look(count, now)
    return now, told


def silent(detector: SilenceDetector, now: float, seconds: int, count: int) -> list[int]:
    """The seconds of a silence at which it is told."""
    return [after for after in range(1, seconds) if detector.look(count, now + after)]


def test_a_busy_connection_that_falls_silent_is_told_once_after_a_minute() -> None:
    detector = SilenceDetector()
    now, told = looks(detector, [1.0] * PAUSES)
    assert 0 == told
    assert [61] == silent(detector, now, 10_000, PAUSES + 1)


def test_after_five_times_the_longest_pause() -> None:
    detector = SilenceDetector()
    now, _ = looks(detector, [20.0, *[3.0] * (PAUSES - 1)])
    assert [101] == silent(detector, now, 10_000, PAUSES + 1)


def test_before_many_events_no_silence_is_unusual() -> None:
    detector = SilenceDetector()
    now, _ = looks(detector, [1.0] * (PAUSES - 1))
    assert [] == silent(detector, now, 100_000, PAUSES)


def test_a_night_is_no_pause() -> None:
    detector = SilenceDetector()
    evening, _ = looks(detector, [1.0] * PAUSES)
    assert [61] == silent(detector, evening, 36_000, PAUSES + 1)
    assert not detector.look(PAUSES + 2, evening + 36_000)
    assert [61] == silent(detector, evening + 36_000, 1000, PAUSES + 2)


def test_another_connection_begins_anew_and_keeps_what_is_known_of_pauses() -> None:
    detector = SilenceDetector()
    now, _ = looks(detector, [1.0] * PAUSES)
    assert not detector.look(None, now + 50)
    assert [] == silent(detector, now + 51, 1000, 0)
    assert not detector.look(1, now + 2000)
    assert [61] == silent(detector, now + 2000, 1000, 1)


def test_events_at_random_are_not_unusual() -> None:
    randomly = random.Random(7)
    _, told = looks(SilenceDetector(), [randomly.expovariate(1 / 30) for _ in range(20_000)])
    assert 0 == told
