"""Cost curves: this server's time per token and memory against the context's length and the number of streams.

A quadratic fit tells how a cost grows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

import numpy as np

from tests.comparison.prompts import make_long, make_unique
from tests.comparison.systems.system import Answer, SystemUnderTest

LENGTHS = (64, 500, 1000, 2000, 4000, 8000)
ROWS = (1, 2, 4, 8, 16, 32)
NEW_TOKENS = 48
MAX_TOTAL_TOKENS = 8192  # of a conversation
QUADRATIC = 0.25  # share of the greatest cost from which the square term counts
_TEMPLATE = 40  # tokens beside the words


@dataclass(frozen=True, slots=True)
class Point:
    """One size: time per output token (TPOT) and TTFT in seconds, and the peak of resident bytes."""

    size: int
    tpot: float
    ttft: float
    memory: int | None


@dataclass(frozen=True, slots=True)
class Curves:
    """Against the length of one conversation, and against the number of concurrent streams."""

    lengths: tuple[Point, ...]
    rows: tuple[Point, ...]


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


def measure_curves(server: SystemUnderTest, report_progress: Callable[[str], None]) -> Curves:
    """Both after a warm-up, small sizes first: where the peak of memory can't be reset, it only grows."""
    server.ask([make_unique("warm-up")])
    _read_peak(server)
    report_progress("cost curves: rows")
    rows = tuple(_measure_rows(server, count) for count in ROWS)
    report_progress("cost curves: lengths")
    return Curves(tuple(_measure_length(server, length) for length in LENGTHS), rows)


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


def _measure_rows(server: SystemUnderTest, count: int) -> Point:
    answers = server.ask([make_unique(f"rows {count} {row}", NEW_TOKENS) for row in range(count)])
    joined = max(answer.times[0] for answer in answers)
    tpot = median(_compute_tpot(answer, joined) for answer in answers)
    return Point(count, tpot, median(answer.ttft for answer in answers), _read_peak(server))


def _measure_length(server: SystemUnderTest, length: int) -> Point:
    (answer,) = server.ask([make_long(f"length {length}", length - _TEMPLATE, NEW_TOKENS)])
    size = answer.prompt_tokens or length
    return Point(size, _compute_tpot(answer, answer.times[0]), answer.ttft, _read_peak(server))


def _read_peak(server: SystemUnderTest) -> int | None:
    return server.process.read_peak() if server.process else None


def _compute_tpot(answer: Answer, begin: float) -> float:
    """The mean from `begin` on, or of all where the answer ended before. Tokens without text (special ones) count."""
    gaps = [gap for gap, time in zip(answer.gaps, answer.times, strict=False) if time >= begin] or answer.gaps
    return fmean(gaps) * len(answer.gaps) / (answer.tokens - 1)
