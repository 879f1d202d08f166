import math
import random

import pytest

from demo.bench.interval import estimate_mean, t_quantile, t_within

# The 0.975 column of any table of Student's t.
TABLE = {1: 12.7062, 2: 4.3027, 3: 3.1824, 4: 2.7764, 5: 2.5706, 10: 2.2281, 29: 2.0452, 30: 2.0423, 120: 1.9799}


@pytest.mark.parametrize(("freedom", "quantile"), TABLE.items())
def test_the_quantile_is_the_tables(freedom: int, quantile: float) -> None:
    assert t_quantile(freedom) == pytest.approx(quantile, abs=5e-5)


def test_with_many_degrees_of_freedom_it_is_the_normal_one() -> None:
    assert t_quantile(100_000) == pytest.approx(1.959964, abs=1e-4)


@pytest.mark.parametrize("t", [0.1, 1.0, 5.0])
def test_with_one_degree_of_freedom_it_is_cauchys(t: float) -> None:
    assert t_within(t, 1) == pytest.approx(2 / math.pi * math.atan(t))


def test_the_interval_holds_the_true_mean_95_times_in_100() -> None:
    draw = random.Random(0)
    intervals = [estimate_mean([draw.gauss(1, 2) for _ in range(8)]) for _ in range(2000)]
    assert sum(interval.low <= 1 <= interval.high for interval in intervals) / 2000 == pytest.approx(0.95, abs=0.015)


def test_equal_values_leave_no_doubt() -> None:
    assert estimate_mean([2.0, 2.0, 2.0]).low == estimate_mean([2.0, 2.0, 2.0]).high == 2.0
