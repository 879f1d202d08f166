"""The page's tables with the sentences above them; the browser draws them.

Every run of the tab; the documentation's example, "1,000 tokens at 100 tokens/s", predicted and measured; what stopping
the streamed side early saved, in tokens, seconds and money; and each benchmark tool's definitions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final, TypeAlias

from demo.events import Done
from demo.metric_definitions import NOT_REPORTED, Chunk, Definition, Latencies, compare_definitions
from demo.metrics import Timeline, measure_streamed
from demo.ui.view.options import GenerationOptions
from demo.ui.view.panes import PaneView
from demo.ui.view.plots import count_dropped
from demo.ui.view.turn import Turn
from demo.ui.view.words import (
    MISSING,
    TITLES,
    describe_cached,
    describe_phase,
    format_count,
    format_rate,
    format_seconds,
)

Table: TypeAlias = dict[str, object]  # {sentence, caption, columns, rows}; without rows only the sentence is shown
Moments: TypeAlias = tuple[float | None, float | None, float | None]  # first text, half of it, all of it; seconds

NEARLY: Final = 0.97  # a machine that reaches this share of the requested rate keeps up with it
NO_RUN: Final = "Generate an answer, and press Stop in the streaming panel when you have read enough."
NOT_STOPPED: Final = "You read the last answer to its end: nothing was saved. Press Stop in the streaming panel."


@dataclass(frozen=True, slots=True)
class Amount:
    """A number of tokens, and the seconds until the last of them."""

    tokens: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Saving:
    """What was read and the whole answer; where that was stopped too, `exact` is False and `all` an upper bound."""

    read: Amount
    all: Amount
    exact: bool


def list_runs(runs: Sequence[Turn]) -> Table:
    """The runs of the tab that are kept."""
    caption = "Every run of this tab, newest first"
    if dropped := count_dropped(runs):
        caption = f"The last {len(runs)} runs of this tab, newest first; {dropped} older ones were dropped"
    columns = ("Run", "Delivery", "TTFT", "Total", "Tokens", "Tokens/s", "Ended")
    return {"caption": caption, "columns": columns, "rows": list_rows(runs)}


def list_rows(runs: Sequence[Turn]) -> list[tuple[str, ...]]:
    """The numbers behind the figures, newest run first; one row for each side."""
    return [_write_row(turn.number, view) for turn in reversed(runs) for view in (turn.streamed, turn.whole)]


def _write_row(number: int, view: PaneView) -> tuple[str, ...]:
    timeline = view.timeline
    return (
        " · ".join(filter(None, (str(number), view.label, describe_cached(view.cached)))),
        TITLES[view.side],
        format_seconds(timeline.ttft),
        format_seconds(timeline.total),
        format_count(view.tokens),
        format_rate(timeline.rate),
        describe_phase(view.phase),
    )


def list_example(example: GenerationOptions, runs: Sequence[Turn], turn: Turn | None) -> Table:
    """The documentation's example: predicted, and measured in `turn`, its run, if that has ended."""
    rate = find_rate(runs, example)
    pace = f"{example.pace:g} tokens/s" if example.pace else "real speed"
    measured = f"{describe_measured(example, turn)} " if turn is not None else ""
    return {
        "sentence": measured + describe_source(example, rate),
        "caption": f"{example.max_new_tokens:,} tokens at {pace}; measured on the engine's clock",
        "columns": ("Seen by the reader of", "First text", "Half of the text", "All of it"),
        "rows": list_moments(example, rate, turn),
    }


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
    return None if kept_up and pace != example.pace else rate


def _find_moments(timeline: Timeline) -> Moments:
    middle = ceil(len(timeline.tokens) / 2)
    return timeline.ttft, timeline.tokens[middle - 1] if middle else None, timeline.total


def list_saved(runs: Sequence[Turn], price: float) -> Table:
    """What stopping the last run early saved."""
    saving = measure_saving(runs[-1]) if runs else None
    return {
        "sentence": describe_saving(saving) if saving else NOT_STOPPED if runs else NO_RUN,
        "caption": "The last run of this tab, on the engine's clock",
        "columns": ("", "Tokens", "Seconds", "Price"),
        "rows": list_amounts(saving, price) if saving else [],
    }


def measure_saving(turn: Turn) -> Saving | None:
    """What stopping the streamed side of `turn` saved; None where it was not stopped or the rest can't be estimated."""
    timeline, trace = turn.streamed.timeline, turn.trace
    if turn.streamed.phase != "stopped" or trace is None or timeline.end is None:
        return None
    read, generated, done = Amount(len(timeline.tokens), timeline.end), trace.tokens, trace.events[-1]
    assert isinstance(done, Done)
    if done.finish_reason != "cancelled":
        return Saving(read, Amount(len(generated), done.time), exact=True)
    limit, tpot = trace.request.max_new_tokens, measure_streamed(0.0, trace.events).tpot
    if limit is None or tpot is None:
        return None
    return Saving(read, Amount(limit, generated[-1].time + tpot * (limit - len(generated))), exact=False)


def list_amounts(saving: Saving, price: float) -> list[tuple[str, ...]]:
    """The table's rows; `price` is in dollars for a million tokens."""
    saved = Amount(saving.all.tokens - saving.read.tokens, max(saving.all.seconds - saving.read.seconds, 0.0))
    at_most, length = ("", "") if saving.exact else ("at most ", ", at the requested length")
    return [
        ("Streaming: read until you stopped", *_format(saving.read, price)),
        (f"The whole answer{length}", *_format(saving.all, price, at_most)),
        ("Saved by streaming", *_format(saved, price, at_most)),
        ("Saved without streaming: you can only decide at the end", *_format(Amount(0, 0.0), price)),
    ]


def describe_saving(saving: Saving) -> str:
    share = 1 - saving.read.tokens / max(saving.all.tokens, 1)
    bound = "" if saving.exact else "up to "
    return f"You stopped after {saving.read.tokens} tokens and saved {bound}{share:.0%} of the answer."


def _format(amount: Amount, price: float, prefix: str = "") -> tuple[str, str, str]:
    dollars = f"${amount.tokens * price / 1e6:.6f}"
    return prefix + format_count(amount.tokens), prefix + format_seconds(amount.seconds), prefix + dollars


def list_definitions(runs: Sequence[Turn]) -> Table:
    """What each benchmark tool calls TTFT, ITL and TPOT, with the numbers of the last completed run.

    Each token is one chunk, as this server sends them.
    """
    last = next((run for run in reversed(runs) if run.trace is not None), None)
    numbers = "after a run, with its numbers" if last is None else f"with the numbers of run {last.number}, streamed"
    tokens = () if last is None or last.trace is None else last.trace.tokens
    compared = compare_definitions([[Chunk(token.time, token.text) for token in tokens]])
    return {
        "caption": f"The same names, as each tool defines them, {numbers}; n tokens, on the engine's clock",
        "columns": ("Tool", "TTFT", "ITL", "TPOT"),
        "rows": [_list_cells(definition, found) for definition, found in compared],
    }


def _list_cells(definition: Definition, found: Latencies) -> tuple[str, ...]:
    cells = ((found.ttft, definition.ttft), (found.itl, definition.itl), (found.tpot, definition.tpot))
    return (definition.tool, *(_define(seconds, words) for seconds, words in cells))


def _define(seconds: float | None, words: str) -> str:
    return words if seconds is None or words == NOT_REPORTED else f"{format_seconds(seconds)}: {words}"
