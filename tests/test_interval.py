import math

import pytest

from demo.interval import Interval, estimate_mean, t_quantile, t_within

# The 0.975 column of any table of Student's t.
TABLE = {1: 12.7062, 2: 4.3027, 3: 3.1824, 4: 2.7764, 5: 2.5706, 10: 2.2281, 29: 2.0452, 30: 2.0423, 120: 1.9799}
NORMAL = 1.959964  # to which it comes with many degrees of freedom


@pytest.mark.parametrize(("freedom", "quantile"), (TABLE | {100_000: NORMAL}).items())
def test_the_quantile_is_that_of_the_table(freedom: int, quantile: float) -> None:
    assert t_quantile(freedom) == pytest.approx(quantile, abs=5e-5)


@pytest.mark.parametrize("t", [0.1, 1.0, 5.0])
def test_one_degree_of_freedom_is_the_cauchy_distribution(t: float) -> None:
    assert t_within(t, 1) == pytest.approx(2 / math.pi * math.atan(t))


def test_the_interval_is_the_mean_and_t_of_n_minus_1_times_the_standard_error() -> None:
    found = estimate_mean([1.0, 2.0, 6.0])  # variance 7
    margin = TABLE[2] * math.sqrt(7 / 3)
    assert (found.mean, found.low, found.high) == pytest.approx((3.0, 3.0 - margin, 3.0 + margin), abs=1e-4)
    assert estimate_mean([2.0, 2.0, 2.0]) == Interval(2.0, 2.0, 2.0)
