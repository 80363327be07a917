import pytest

from listener.journal import Pending
from listener.observe.measure import RING, Histogram, Latencies, Rate, Recent


@pytest.mark.parametrize(("percent", "expected"), [(50, 51.0), (99, 100.0), (100, 100.0)])
def test_percentiles_by_nearest_rank(percent: float, expected: float) -> None:
    recent = Recent()
    recent.observe(float(value) for value in range(1, 101))
    assert expected == recent.percentile(percent)


def test_no_value_has_no_percentile() -> None:
    assert Recent().percentile(99) is None


def test_only_the_newest_values_count() -> None:
    recent = Recent()
    recent.observe([9.0])
    recent.observe([1.0] * RING)
    assert 1.0 == recent.percentile(100)


def test_a_rate_over_the_last_minute() -> None:
    rate = Rate()
    for second in range(0, 301, 2):
        rate.note(float(second), 10 * second)
    assert 10.0 == rate.per_second()


def test_a_rate_falls_to_nothing_a_minute_after_the_last_event() -> None:
    rate = Rate()
    rate.note(0.0, 0)
    rate.note(2.0, 1000)
    for second in range(4, 70, 2):
        rate.note(float(second), 1000)
    assert 0.0 == rate.per_second()


def test_a_histogram_counts_up_to_each_bound() -> None:
    histogram = Histogram((0.1, 1.0))
    histogram.observe([0.1, 0.5, 0.5, 7.0])
    assert [("0.1", 1.0), ("1.0", 3.0), ("+Inf", 4.0)] == histogram.buckets()
    assert 8.1 == histogram.sum


def test_histograms_are_kept_only_for_who_may_scrape() -> None:
    plain, scraped = Latencies(histograms=False), Latencies(histograms=True)
    for timings in (plain, scraped):
        timings.on_settled([Pending(b"{}", "id", "type")])
        timings.on_delivered("archive", [])
    assert plain.acks is None
    assert {} == plain.delays
    assert scraped.acks is not None
    assert 1.0 == scraped.acks.buckets()[-1][1]
    assert ["archive"] == list(scraped.delays)
