"""A figure: what was measured, how often, and its spread."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from demo.bench.interval import estimate_mean


@dataclass(frozen=True)
class Figure:
    """What was measured `n` times: the median, and the least and greatest seen; or what else the name says."""

    name: str
    unit: str
    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.name:<58} {self.value:>8.2f}  ({self.low:.2f} to {self.high:.2f}, n = {self.n})  {self.unit}"


def summarise(name: str, unit: str, values: Sequence[float]) -> Figure:
    """The figure of some measured values."""
    return Figure(name, unit, median(values), min(values), max(values), len(values))


def estimate(name: str, unit: str, values: Sequence[float]) -> Figure:
    """The same of values whose spread is as large as what is looked for: their mean, and its 95 % interval."""
    found = estimate_mean(values)
    return Figure(f"{name}: mean, 95 %", unit, found.mean, found.low, found.high, len(values))
