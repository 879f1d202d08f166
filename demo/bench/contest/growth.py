"""How a cost grows with a size: whether a square is in it. Pure; knows only numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

TOO_MUCH = 0.25  # share of the greatest cost from which a square is called one


@dataclass(frozen=True, slots=True)
class Growth:
    """cost = constant + linear · size + square · size². `share`: the last term's, in the cost of the greatest size."""

    constant: float
    linear: float
    square: float
    share: float

    @property
    def is_quadratic(self) -> bool:
        return self.share > TOO_MUCH


def fit_growth(sizes: Sequence[float], costs: Sequence[float]) -> Growth:
    """The fit of least squares, errors counted relative to the costs. At least four sizes."""
    x, y = np.asarray(sizes, float), np.asarray(costs, float)
    scale = x.max()
    square, linear, constant = np.polyfit(x / scale, y, 2, w=1 / y)
    whole = square + linear + constant
    return Growth(float(constant), float(linear / scale), float(square / scale**2), float(square / whole))


def say_growth(what: str, against: str, growth: Growth) -> str:
    """Whether it grows quadratically, in one sentence."""
    verdict = "grows quadratically" if growth.is_quadratic else "does not grow quadratically"
    return (
        f"{what} {verdict} with the {against}: in the fit a + b·x + c·x² the square is {round(100 * growth.share)} % "
        "of it at the greatest"
    )
