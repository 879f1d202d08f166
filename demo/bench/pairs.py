"""Streaming against whole: two separate requests a pair, in random order. Knows neither HTTP nor the dialects.

Every request has the same prompt. Prefix caching is switched off where the server has a parameter for that; elsewhere
it favours both modes alike.
"""

import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from demo.bench.dialects import Mode
from demo.bench.sample import Sample
from demo.interval import Interval, estimate_mean


@dataclass(frozen=True, slots=True)
class Pair:
    """The same request, once streamed and once whole."""

    streamed: Sample
    whole: Sample

    @property
    def difference(self) -> float:
        """Streamed total minus whole total, in seconds."""
        return self.streamed.total - self.whole.total

    @property
    def differs(self) -> bool:
        """Whether the two texts are not the same."""
        return self.streamed.text != self.whole.text


@dataclass(frozen=True, slots=True)
class Comparison:
    """Streamed minus whole, paired: in seconds, and in % of the whole's mean, which is taken as exact."""

    seconds: Interval
    percent: Interval


def order_pairs(count: int, seed: int) -> list[tuple[Mode, Mode]]:
    """For each pair, the two modes in random order."""
    rng = random.Random(seed)
    return [("streamed", "whole") if rng.random() < 0.5 else ("whole", "streamed") for _ in range(count)]


def measure_pairs(measure: Callable[[Mode], Sample], order: Iterable[tuple[Mode, Mode]]) -> list[Pair]:
    return [Pair(**{mode: measure(mode) for mode in modes}) for modes in order]


def compare_pairs(pairs: Sequence[Pair]) -> Comparison:
    """The paired difference, from at least two pairs."""
    seconds = estimate_mean([pair.difference for pair in pairs])
    whole = sum(pair.whole.total for pair in pairs) / len(pairs)
    return Comparison(seconds, seconds.scale(100 / whole))


def format_comparison(comparison: Comparison) -> str:
    percent = comparison.percent
    if percent.holds_zero:
        bound = math.ceil(10 * max(-percent.low, percent.high)) / 10  # a bound is rounded up
        return f"no difference seen beyond ±{bound:.1f} %"
    low, high = sorted((abs(percent.low), abs(percent.high)))
    word = "slower" if percent.mean > 0 else "faster"
    digits = max(1, math.ceil(-math.log10(low)))  # one significant digit of the least number, as many places of all
    interval = f"95 % interval {low:.{digits}f} to {high:.{digits}f} %"
    return f"streaming was {abs(percent.mean):.{digits}f} % {word} ({interval})"


def format_texts(pairs: Sequence[Pair]) -> str:
    """Whether both modes gave the same text, as one sentence."""
    differing = sum(pair.differs for pair in pairs)
    if not differing:
        return f"the streamed and the whole text were equal in all {len(pairs)} pairs"
    return f"the texts differed in {differing} of {len(pairs)} pairs: a faster different answer is not faster"
