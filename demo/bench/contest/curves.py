"""What this server's tokens and memory cost as conversations grow long and many. Knows its server as a contestant."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from demo.bench.contest.prompts import ask_afresh, ask_at_length
from demo.bench.peers.contestant import Answer, Contestant

LENGTHS = (64, 500, 1000, 2000, 4000, 8000)
ROWS = (1, 2, 4, 8, 16, 32)
NEW_TOKENS = 48
_TEMPLATE = 40  # tokens beside the words
ROOM = 8192  # tokens of a conversation


@dataclass(frozen=True, slots=True)
class Point:
    """One size: a token's gap and the prompt's time, in seconds; and the most bytes that were resident."""

    size: int
    gap: float
    ttft: float
    memory: int | None


@dataclass(frozen=True, slots=True)
class Curves:
    """The same server, against the length of one conversation and against the number of streams at once."""

    lengths: tuple[Point, ...]
    rows: tuple[Point, ...]


def measure_curves(server: Contestant, say: Callable[[str], None]) -> Curves:
    """Both, small sizes first, where a peak of memory can't be told from an earlier one; after a warm-up."""
    server.ask([ask_afresh("warm-up")])
    server.read_peak()
    say("cost curves: rows")
    rows = tuple(_measure_rows(server, count) for count in ROWS)
    say("cost curves: lengths")
    return Curves(tuple(_measure_length(server, length) for length in LENGTHS), rows)


def _measure_rows(server: Contestant, count: int) -> Point:
    answers = server.ask([ask_afresh(f"rows {count} {row}", NEW_TOKENS) for row in range(count)])
    joined = max(answer.times[0] for answer in answers)
    gaps = [gap for answer in answers for gap in _gaps_since(answer, joined)]
    return Point(count, median(gaps), median(answer.ttft for answer in answers), server.read_peak())


def _measure_length(server: Contestant, length: int) -> Point:
    (answer,) = server.ask([ask_at_length(f"length {length}", length - _TEMPLATE, NEW_TOKENS)])
    size = answer.prompt_tokens or length
    return Point(size, median(answer.gaps), answer.ttft, server.read_peak())


def _gaps_since(answer: Answer, begin: float) -> Sequence[float]:
    """The gaps that began when all streams were under way."""
    return [gap for gap, time in zip(answer.gaps, answer.times, strict=False) if time >= begin] or answer.gaps
