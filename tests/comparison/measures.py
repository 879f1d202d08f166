"""What is measured, and the formulas of the numbers. Pure. All in seconds and tokens per second.

One stream's speed is (n - 1) / (last - first): its tokens after the first, over the time that they took. Of several
streams it is all their tokens over the time from the first request to the last token, prompts included.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from demo.metrics import percentile
from tests.comparison.prompts import make_long, make_unique
from tests.comparison.systems.system import Answer, Identity, Question

STREAMS = 8
STAGGER = 0.3  # seconds
LEAST_GAPS = 10  # of a stream whose gaps are compared
Answers = Sequence[Answer]


@dataclass(frozen=True, slots=True)
class Measure:
    """The concurrent questions of one round, by the round's number."""

    key: str
    write: Callable[[int], list[Question]]
    applies_to: Callable[[Identity], bool] = lambda _: True
    stagger: float = 0.0


@dataclass(frozen=True, slots=True)
class Number:
    """A number that is computed from a measure's answers; None where they do not give one."""

    key: str
    measure: str
    compute: Callable[[Answers], float | None]


def compute_rate(answers: Answers) -> float | None:
    """A single stream's tokens per second, after its first."""
    (answer,) = answers
    seconds = answer.times[-1] - answer.times[0]
    return (answer.tokens - 1) / seconds if seconds else None


def compute_throughput(answers: Answers) -> float:
    """All streams' tokens, over the time from the first request to the last token."""
    seconds = max(answer.times[-1] for answer in answers) - min(answer.asked for answer in answers)
    return sum(answer.tokens for answer in answers) / seconds


def compute_ttft(answers: Answers) -> float:
    """The streams' median time to first token."""
    return median(answer.ttft for answer in answers)


def compute_unevenness(answers: Answers) -> float | None:
    """The worst stream's p95 gap over its median gap."""
    return _find_worst([answer.gaps for answer in answers])


def compute_unevenness_while_joining(answers: Answers) -> float | None:
    """The same, of the gaps until the last stream's first token."""
    joined = max(answer.times[0] for answer in answers)
    return _find_worst([_cut_gaps(answer, joined) for answer in answers])


def _write_streams(key: str) -> Callable[[int], list[Question]]:
    return lambda number: [make_unique(f"{key} {number} {stream}") for stream in range(STREAMS)]


MEASURES = (
    Measure("one", lambda number: [make_unique(f"one {number}")]),
    Measure("many", _write_streams("many"), lambda identity: identity.concurrent),
    Measure("long", lambda number: [make_long(f"long {number}")]),
    Measure("joining", _write_streams("joining"), lambda identity: identity.is_ours, STAGGER),
)
NUMBERS = (
    Number("rate", "one", compute_rate),
    Number("rate_with_prompt", "one", compute_throughput),
    Number("ttft", "one", compute_ttft),
    Number("rate_of_many", "many", compute_throughput),
    Number("ttft_of_many", "many", compute_ttft),
    Number("ttft_of_long", "long", compute_ttft),
    Number("unevenness", "joining", compute_unevenness),
    Number("unevenness_while_joining", "joining", compute_unevenness_while_joining),
)


def _cut_gaps(answer: Answer, end: float) -> list[float]:
    return [gap for gap, time in zip(answer.gaps, answer.times[1:], strict=True) if time <= end]


def _find_worst(streams: Sequence[Sequence[float]]) -> float | None:
    ratios = [(percentile(gaps, 95) or 0) / (percentile(gaps, 50) or 1) for gaps in streams if len(gaps) >= LEAST_GAPS]
    return max(ratios, default=None)
