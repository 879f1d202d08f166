"""What stopping the streamed side early saved: tokens, seconds and money."""

from dataclasses import dataclass
from typing import Final

from demo.events import Done
from demo.metrics import measure_streamed
from demo.ui.view.turn import Turn
from demo.ui.view.words import format_count, format_seconds

COLUMNS: Final = ("", "Tokens", "Seconds", "Price")
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


def list_savings(saving: Saving, price: float) -> list[tuple[str, ...]]:
    """The table's rows; `price` is in dollars for a million tokens."""
    saved = Amount(saving.all.tokens - saving.read.tokens, max(saving.all.seconds - saving.read.seconds, 0.0))
    at_most, length = ("", "") if saving.exact else ("at most ", ", at the requested length")
    return [
        ("Streaming: read until you stopped", *_format(saving.read, price)),
        (f"The whole answer{length}", *_format(saving.all, price, at_most)),
        ("Saved by streaming", *_format(saved, price, at_most)),
        ("Saved without streaming: you can only decide at the end", *_format(Amount(0, 0.0), price)),
    ]


def describe_saving(turn: Turn | None) -> str:
    if turn is None:
        return NO_RUN
    if (saving := measure_saving(turn)) is None:
        return NOT_STOPPED
    share = 1 - saving.read.tokens / max(saving.all.tokens, 1)
    bound = "" if saving.exact else "up to "
    return f"You stopped after {saving.read.tokens} tokens and saved {bound}{share:.0%} of the answer."


def _format(amount: Amount, price: float, prefix: str = "") -> tuple[str, str, str]:
    dollars = f"${amount.tokens * price / 1e6:.6f}"
    return prefix + format_count(amount.tokens), prefix + format_seconds(amount.seconds), prefix + dollars
