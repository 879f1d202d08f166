"""The documentation's example, "1,000 tokens at 100 tokens/s": what to expect, beside what was measured. Pure."""

from collections.abc import Sequence
from math import ceil
from typing import Final, TypeAlias

from demo.metrics import Timeline
from demo.ui.view.turn import Example, Turn
from demo.ui.view.words import NOTHING, TITLES, format_seconds

Moments: TypeAlias = tuple[float | None, float | None, float | None]  # first text, half of it, all of it; seconds
COLUMNS: Final = ("Seen by the reader of", "First text", "Half of the text", "All of it")
NEARLY: Final = 0.97  # a machine that reaches this share of the rate asked for keeps up with it


def find_rate(runs: Sequence[Turn], example: Example) -> float | None:
    """The tokens/s to predict from: those asked for, or the machine's own where they are known to be fewer."""
    own = next((rate for turn in reversed(runs) if (rate := _read_own_rate(turn, example)) is not None), None)
    if example.pace is None:
        return own
    return example.pace if own is None or own >= NEARLY * example.pace else own


def list_moments(example: Example, rate: float | None, turn: Turn | None) -> list[tuple[str, ...]]:
    """The table's rows: predicted and measured, streamed and whole. `turn` is the example's own, once it has ended."""
    half, end = (None, None) if rate is None else (example.tokens / 2 / rate, example.tokens / rate)
    at_once = NOTHING if rate is None else "at once"
    streamed = _find_moments(turn.streamed.timeline) if turn else (None, None, None)
    whole = _find_moments(turn.whole.timeline) if turn else (None, None, None)
    return [
        (f"{TITLES['streamed']}, predicted", at_once, format_seconds(half), format_seconds(end)),
        (f"{TITLES['streamed']}, measured", *map(format_seconds, streamed)),
        (f"{TITLES['whole']}, predicted", *[format_seconds(end)] * 3),
        (f"{TITLES['whole']}, measured", *map(format_seconds, whole)),
    ]


def describe_source(example: Example, rate: float | None) -> str:
    """Where the prediction comes from, in a sentence."""
    if rate is None:
        return "This machine's own rate is not known before its first run: press the button."
    if example.pace is None:
        return f"Predicted from the {rate:.1f} tokens/s that this machine made in its last run."
    if rate < example.pace:
        return (
            f"This machine makes {rate:.1f} tokens/s, fewer than the {example.pace:g} asked for: "
            "predicted from the rate it has."
        )
    return f"Predicted from the rate asked for, {example.pace:g} tokens/s. A faster machine is slowed to it."


def describe_reached(example: Example, turn: Turn) -> str:
    """The rate that was asked for beside the one that was measured, which is the decode rate; and an early end."""
    timeline = turn.streamed.timeline
    count, rate = len(timeline.tokens), _read_decode_rate(timeline.tokens)
    asked = f"Asked for {example.pace:g} tokens/s" if example.pace else "At real speed"
    if rate is None:
        return f"{asked}: too few tokens came to measure a rate."
    after_first = format_seconds(timeline.tokens[-1] - timeline.tokens[0])
    reached = f"{asked}, measured {rate:.1f}: {count - 1:,} tokens in the {after_first} after the first."
    return reached if count >= example.tokens else f"{reached} It ended before {example.tokens:,} tokens."


def _read_decode_rate(times: Sequence[float]) -> float | None:
    """Tokens a second after the first: n − 1 of them over the time from the first to the last."""
    return (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 and times[-1] > times[0] else None


def _read_own_rate(turn: Turn, example: Example) -> float | None:
    """The rate of a run that shows what the machine can do: one of its own, not slowed down, or less than asked."""
    if turn.asked.kind == "recording" or turn.trace is None:
        return None
    rate = _read_decode_rate([token.time for token in turn.trace.tokens])
    if rate is None:
        return None
    kept_up = turn.trace.pace is not None and rate >= NEARLY * turn.trace.pace
    if kept_up and (example.pace is None or turn.trace.pace != example.pace):
        return None
    return rate


def _find_moments(timeline: Timeline) -> Moments:
    middle = ceil(len(timeline.tokens) / 2)
    return timeline.ttft, timeline.tokens[middle - 1] if middle else None, timeline.total
