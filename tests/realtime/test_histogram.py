import numpy as np
import pytest

from realtime.histogram import Histogram


@pytest.mark.parametrize("percent", [0.1, 5, 50, 95, 99, 100])
def test_a_percentile_is_that_of_the_sorted_values_to_half_a_per_cent(percent):
    values = np.random.default_rng(7).lognormal(3, 1.5, 5001)
    histogram = Histogram()
    for value in values:
        histogram.add(float(value))
    exact = float(np.percentile(values, percent, method="inverted_cdf"))
    assert histogram.percentile(percent) == pytest.approx(exact, rel=0.0051)


def test_a_single_value_is_every_percentile_exactly():
    histogram = Histogram()
    histogram.add(123.456)
    assert [histogram.percentile(p) for p in (1, 50, 99)] == [123.456] * 3


def test_values_out_of_range_count_at_the_edges():
    histogram = Histogram(low=1, high=100)
    for value in (-5.0, 0.0, 1e9, float("nan"), float("inf")):
        histogram.add(value)
    assert len(histogram) == 4
    assert histogram.percentile(1) == pytest.approx(1, rel=0.01)
    assert histogram.percentile(100) == pytest.approx(100, rel=0.02)


def test_no_values_have_no_percentile():
    assert Histogram().percentile(50) is None
