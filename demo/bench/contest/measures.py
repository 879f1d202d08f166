"""What is measured, and how its numbers are read off the answers. Pure. All in seconds and tokens per second.

One stream's speed is (n - 1) / (last - first): its tokens after the first, over the time that they took. Of several
streams it is all their tokens over the time from the first request to the last token, prompts included.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from demo.bench.contest.prompts import ask_afresh, ask_at_length
from demo.bench.peers.contestant import Answer, Identity, Question
from demo.metrics import percentile

STREAMS = 8
APART = 0.3
LEAST_GAPS = 10  # of a stream whose gaps are compared
Answers = Sequence[Answer]


@dataclass(frozen=True, slots=True)
class Measure:
    """Some questions of one round, asked together."""

    key: str
    ask: Callable[[int], list[Question]]
    takes_part: Callable[[Identity], bool] = lambda _: True
    apart: float = 0.0


@dataclass(frozen=True, slots=True)
class Number:
    """What a measure's answers say."""

    key: str
    measure: str
    read: Callable[[Answers], float | None]


def read_rate(answers: Answers) -> float | None:
    """A single stream's tokens per second, after its first."""
    (answer,) = answers
    seconds = answer.times[-1] - answer.times[0]
    return (answer.tokens - 1) / seconds if seconds else None


def read_rate_overall(answers: Answers) -> float:
    """All streams' tokens, over the time from the first request to the last token."""
    seconds = max(answer.times[-1] for answer in answers) - min(answer.asked for answer in answers)
    return sum(answer.tokens for answer in answers) / seconds


def read_ttft(answers: Answers) -> float:
    """The streams' median time to first token."""
    return median(answer.ttft for answer in answers)


def read_unevenness(answers: Answers) -> float | None:
    """The worst stream's p95 gap over its median gap, all its gaps counted."""
    return _find_worst([answer.gaps for answer in answers])


def read_unevenness_while_joining(answers: Answers) -> float | None:
    """The same, of the gaps until the last stream had its first token alone."""
    joined = max(answer.times[0] for answer in answers)
    return _find_worst([_cut_gaps(answer, joined) for answer in answers])


def list_measures() -> list[Measure]:
    """One stream; eight at once; a long prompt; eight that join one after the other."""
    return [
        Measure("one", lambda turn: [ask_afresh(f"one {turn}")]),
        Measure(
            "many",
            lambda turn: [ask_afresh(f"many {turn} {stream}") for stream in range(STREAMS)],
            lambda identity: identity.together,
        ),
        Measure("long", lambda turn: [ask_at_length(f"long {turn}")]),
        Measure(
            "joining",
            lambda turn: [ask_afresh(f"joining {turn} {stream}") for stream in range(STREAMS)],
            lambda identity: identity.is_ours,
            APART,
        ),
    ]


NUMBERS = (
    Number("rate", "one", read_rate),
    Number("rate_with_prompt", "one", read_rate_overall),
    Number("ttft", "one", read_ttft),
    Number("rate_of_many", "many", read_rate_overall),
    Number("ttft_of_many", "many", read_ttft),
    Number("ttft_of_long", "long", read_ttft),
    Number("unevenness", "joining", read_unevenness),
    Number("unevenness_while_joining", "joining", read_unevenness_while_joining),
)


def _cut_gaps(answer: Answer, end: float) -> tuple[float, ...]:
    return tuple(gap for gap, time in zip(answer.gaps, answer.times[1:], strict=True) if time <= end)


def _find_worst(streams: Sequence[Sequence[float]]) -> float | None:
    ratios = [(percentile(gaps, 95) or 0) / (percentile(gaps, 50) or 1) for gaps in streams if len(gaps) >= LEAST_GAPS]
    return max(ratios, default=None)
