"""What this server's tokens and memory cost as conversations grow long and many. Knows its server as a contestant."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean, median

from demo.bench.contest.prompts import ask_afresh, ask_at_length
from demo.bench.peers.contestant import Answer, Contestant

LENGTHS = (64, 500, 1000, 2000, 4000, 8000)
ROWS = (1, 2, 4, 8, 16, 32)
NEW_TOKENS = 48
_TEMPLATE = 40  # tokens beside the words
ROOM = 8192  # tokens of a conversation


@dataclass(frozen=True, slots=True)
class Point:
    """One size: time per output token (TPOT) and TTFT, in seconds; and the most bytes that were resident."""

    size: int
    tpot: float
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
    tpot = median(_read_tpot(answer, joined) for answer in answers)
    return Point(count, tpot, median(answer.ttft for answer in answers), server.read_peak())


def _measure_length(server: Contestant, length: int) -> Point:
    (answer,) = server.ask([ask_at_length(f"length {length}", length - _TEMPLATE, NEW_TOKENS)])
    size = answer.prompt_tokens or length
    return Point(size, _read_tpot(answer, answer.times[0]), answer.ttft, server.read_peak())


def _read_tpot(answer: Answer, begin: float) -> float:
    """The mean from `begin` on, or of all where the answer ended before; tokens without a text (special ones) count."""
    gaps = [gap for gap, time in zip(answer.gaps, answer.times, strict=False) if time >= begin] or answer.gaps
    return fmean(gaps) * len(answer.gaps) / (answer.tokens - 1)
