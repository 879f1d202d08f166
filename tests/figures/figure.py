"""A figure: what was measured, how often, and its spread."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import TypeAlias

from demo.interval import estimate_mean

Round: TypeAlias = Mapping[tuple[str, str], float]  # the values of one round, by name and unit


@dataclass(frozen=True)
class Figure:
    """A value measured `n` times: the median, minimum and maximum, unless the name says otherwise."""

    name: str
    unit: str
    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.name:<58} {self.value:>8.2f}  ({self.low:.2f} to {self.high:.2f}, n = {self.n})  {self.unit}"


def summarise(name: str, unit: str, values: Sequence[float]) -> Figure:
    return Figure(name, unit, median(values), min(values), max(values), len(values))


def summarise_rounds(rounds: Sequence[Round]) -> list[Figure]:
    """The figures of rounds that all measured the same."""
    return [summarise(name, unit, [values[name, unit] for values in rounds]) for name, unit in rounds[0]]


def estimate(name: str, unit: str, values: Sequence[float]) -> Figure:
    """The mean and its 95 % interval, for values that scatter as much as the difference between them."""
    found = estimate_mean(values)
    return Figure(f"{name}: mean, 95 %", unit, found.mean, found.low, found.high, len(values))


def print_all(conditions: str, figures: Iterable[Figure]) -> None:
    """Print the conditions, each figure once it is measured, and all of it as one JSON document."""
    print(conditions)
    measured = []
    for figure in figures:
        print(figure, flush=True)
        measured.append(asdict(figure))
    print(json.dumps({"conditions": conditions, "figures": measured}))
