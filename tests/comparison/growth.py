"""How a cost grows with a size: a quadratic fit. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

QUADRATIC = 0.25  # share of the greatest cost from which the square term counts


@dataclass(frozen=True, slots=True)
class Growth:
    """cost = constant + linear · size + square · size². `share`: the last term's, in the cost of the greatest size."""

    constant: float
    linear: float
    square: float
    share: float

    @property
    def is_quadratic(self) -> bool:
        return self.share > QUADRATIC


def fit_growth(sizes: Sequence[float], costs: Sequence[float]) -> Growth:
    """Least squares of the errors relative to the costs. At least four sizes."""
    x, y = np.asarray(sizes, float), np.asarray(costs, float)
    scale = x.max()
    square, linear, constant = (float(each) for each in np.polyfit(x / scale, y, 2, w=1 / y))
    return Growth(constant, linear / scale, square / scale**2, square / (square + linear + constant))


def format_growth(what: str, against: str, growth: Growth) -> str:
    """Whether it grows quadratically, as one sentence."""
    verdict = "grows quadratically" if growth.is_quadratic else "does not grow quadratically"
    return (
        f"{what} {verdict} with the {against}: in the fit a + b·x + c·x² the square is {round(100 * growth.share)} % "
        "of it at the greatest"
    )
