"""The documentation's example, "1,000 tokens at 100 tokens/s": predicted and measured."""

from collections.abc import Sequence
from math import ceil
from typing import Final, TypeAlias

from demo.metrics import Timeline, measure_streamed
from demo.ui.view.options import GenerationOptions
from demo.ui.view.turn import Turn
from demo.ui.view.words import MISSING, TITLES, format_seconds

Moments: TypeAlias = tuple[float | None, float | None, float | None]  # first text, half of it, all of it; seconds
COLUMNS: Final = ("Seen by the reader of", "First text", "Half of the text", "All of it")
NEARLY: Final = 0.97  # a machine that reaches this share of the requested rate keeps up with it


def find_rate(runs: Sequence[Turn], example: GenerationOptions) -> float | None:
    """The tokens/s to predict from: the requested rate, or the machine's own where that is known to be lower."""
    own = next((rate for turn in reversed(runs) if (rate := _read_own_rate(turn, example)) is not None), None)
    if example.pace is None:
        return own
    return example.pace if own is None or own >= NEARLY * example.pace else own


def list_moments(example: GenerationOptions, rate: float | None, turn: Turn | None) -> list[tuple[str, ...]]:
    """The table's rows: predicted and measured, streamed and whole. `turn` is the example's own run, once it ended."""
    half, end = (None, None) if rate is None else (example.max_new_tokens / 2 / rate, example.max_new_tokens / rate)
    at_once = MISSING if rate is None else "at once"
    timelines = (turn.streamed.timeline, turn.whole.timeline) if turn else (Timeline(), Timeline())
    streamed, whole = map(_find_moments, timelines)
    return [
        (f"{TITLES['streamed']}, predicted", at_once, format_seconds(half), format_seconds(end)),
        (f"{TITLES['streamed']}, measured", *map(format_seconds, streamed)),
        (f"{TITLES['whole']}, predicted", *[format_seconds(end)] * 3),
        (f"{TITLES['whole']}, measured", *map(format_seconds, whole)),
    ]


def describe_source(example: GenerationOptions, rate: float | None) -> str:
    """What the prediction is computed from, in a sentence."""
    if rate is None:
        return "This machine's own rate is not known before its first run: press the button."
    if example.pace is None:
        return f"Predicted from the {rate:.1f} tokens/s of this machine's last run."
    if rate < example.pace:
        fewer = f"{rate:.1f} tokens/s, fewer than the requested {example.pace:g}"
        return f"This machine generates {fewer}: predicted from it."
    return f"Predicted from the requested rate, {example.pace:g} tokens/s. A faster machine is slowed to it."


def describe_measured(example: GenerationOptions, turn: Turn) -> str:
    """The requested rate beside the measured decode rate; and that the answer ended early, if it did."""
    timeline = turn.streamed.timeline
    count, rate = len(timeline.tokens), timeline.rate
    requested = f"Requested {example.pace:g} tokens/s" if example.pace else "At real speed"
    if rate is None:
        return f"{requested}: too few tokens to measure a rate."
    after_first = format_seconds(timeline.tokens[-1] - timeline.tokens[0])
    early = "" if count >= example.max_new_tokens else f" It ended before {example.max_new_tokens:,} tokens."
    return f"{requested}, measured {rate:.1f}: {count - 1:,} tokens in the {after_first} after the first.{early}"


def _read_own_rate(turn: Turn, example: GenerationOptions) -> float | None:
    """The rate of a run that shows how fast the machine is; None of a recording, or where the run was slowed down."""
    if turn.question.kind == "recording" or turn.trace is None:
        return None
    rate, pace = measure_streamed(0.0, turn.trace.events).rate, turn.trace.pace
    kept_up = rate is not None and pace is not None and rate >= NEARLY * pace
    return None if kept_up and (example.pace is None or pace != example.pace) else rate


def _find_moments(timeline: Timeline) -> Moments:
    middle = ceil(len(timeline.tokens) / 2)
    return timeline.ttft, timeline.tokens[middle - 1] if middle else None, timeline.total
