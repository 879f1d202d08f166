"""Mean and confidence interval of a small sample, and of the difference of two, with Student's t. Pure.

Written out because the standard library has no t quantile, and scipy would be installed for this alone.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev, variance


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and its 95 % confidence interval."""

    mean: float
    low: float
    high: float

    @property
    def holds_zero(self) -> bool:
        return self.low <= 0 <= self.high

    def scale(self, factor: float) -> "Interval":
        """The same in another unit; `factor` > 0."""
        return Interval(self.mean * factor, self.low * factor, self.high * factor)


def estimate_mean(values: Sequence[float]) -> Interval:
    """The mean of at least two values with its 95 % interval, exact for normal errors at any n."""
    mean = fmean(values)
    margin = t_quantile(len(values) - 1) * stdev(values) / math.sqrt(len(values))
    return Interval(mean, mean - margin, mean + margin)


def estimate_difference(left: Sequence[float], right: Sequence[float]) -> Interval:
    """The mean of `left` minus that of `right`, at least two values each, with Welch's 95 % interval.

    The degrees of freedom (Welch-Satterthwaite) are rounded down, which makes the interval no narrower.
    """
    errors = [variance(values) / len(values) for values in (left, right)]
    mean, total = fmean(left) - fmean(right), sum(errors)
    if not total:
        return Interval(mean, mean, mean)
    spread = sum(error**2 / (len(values) - 1) for error, values in zip(errors, (left, right), strict=True))
    margin = t_quantile(max(int(total**2 / spread), 1)) * math.sqrt(total)
    return Interval(mean, mean - margin, mean + margin)


def t_quantile(freedom: int, within: float = 0.95) -> float:
    """The t for which P(|T| < t) = `within`, by bisection: 1.96 for infinite degrees of freedom."""
    low, high = 0.0, 1.0
    while t_within(high, freedom) < within:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if t_within(middle, freedom) < within else (low, middle)
    return high


def t_within(t: float, freedom: int) -> float:
    """P(|T| < t): the finite series of Abramowitz & Stegun, 26.7.3 and 26.7.4."""
    angle = math.atan(t / math.sqrt(freedom))
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2
    term, total = (cosine if odd else 1.0), 0.0
    for k in range(2 + odd, freedom + 1, 2):
        total += term
        term *= cosine * cosine * (k - 1) / k
    return 2 / math.pi * (angle + sine * total) if odd else sine * total
