"""A figure: what was measured, how often, and its spread."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Figure:
    """What was measured `n` times: the median, and the least and greatest seen."""

    name: str
    unit: str
    median: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.name:<58} {self.median:>8.2f}  ({self.low:.2f} to {self.high:.2f}, n = {self.n})  {self.unit}"


def summarise(name: str, unit: str, values: Sequence[float]) -> Figure:
    """The figure of some measured values."""
    return Figure(name, unit, median(values), min(values), max(values), len(values))
