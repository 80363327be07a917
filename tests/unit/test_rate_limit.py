"""A flood becomes a few lines, with the number of those that it stands for."""

from listener.base.logs import RateLimit


def test_the_first_pass_and_the_rest_is_counted() -> None:
    now = 0.0
    limit = RateLimit(lines=3, every=60.0, clock=lambda: now)
    assert [0, 0, 0, None, None] == [limit.take() for _ in range(5)]
    now = 59.9
    assert limit.take() is None
    now = 60.0
    assert [3, 0, 0, None] == [limit.take() for _ in range(4)]


def test_a_thousand_a_minute_are_five_lines() -> None:
    limit = RateLimit(clock=lambda: 0.0)
    assert 5 == sum(limit.take() is not None for _ in range(1000))
