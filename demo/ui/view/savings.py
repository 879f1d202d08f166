"""What stopping early saved, in tokens, seconds and money; and what the same decision saves after waiting. Pure."""

from dataclasses import dataclass
from typing import Final

from demo.events import Done
from demo.ui.view.turn import Turn
from demo.ui.view.words import format_count, format_seconds

COLUMNS: Final = ("", "Tokens", "Seconds", "Price")
NOT_YET: Final = "Ask something, and press Stop in the streaming panel when you have read enough."
READ_TO_THE_END: Final = "You read the last answer to its end: nothing was saved. Press Stop in the streaming panel."


@dataclass(frozen=True, slots=True)
class Answer:
    """How much of an answer there is: its tokens, and when the last of them was there, in seconds."""

    tokens: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Saving:
    """What was read, and all that there would have been: exactly so, or at most, where the work was stopped too."""

    read: Answer
    all: Answer
    exact: bool


def measure_saving(turn: Turn) -> Saving | None:
    """What stopping the streamed side of `turn` saved; None where it was read to its end, or nobody knows."""
    timeline, trace = turn.streamed.timeline, turn.trace
    if turn.streamed.phase != "stopped" or trace is None or timeline.end is None:
        return None
    read, made, done = Answer(len(timeline.tokens), timeline.end), trace.tokens, trace.events[-1]
    assert isinstance(done, Done)
    if done.finish_reason != "cancelled":
        return Saving(read, Answer(len(made), done.time), exact=True)
    limit = trace.request.max_new_tokens
    if limit is None or len(made) < 2:
        return None
    per_token = (made[-1].time - made[0].time) / (len(made) - 1)
    return Saving(read, Answer(limit, made[-1].time + per_token * (limit - len(made))), exact=False)


def list_savings(saving: Saving, price: float) -> list[tuple[str, ...]]:
    """The table's rows; `price` is in dollars for a million tokens."""
    saved = Answer(saving.all.tokens - saving.read.tokens, max(saving.all.seconds - saving.read.seconds, 0.0))
    at_most = "" if saving.exact else "at most "
    return [
        ("Streaming: read until you stopped", *_say(saving.read, price)),
        (f"The whole answer{'' if saving.exact else ', at the length asked for'}", *_say(saving.all, price, at_most)),
        ("Saved by streaming", *_say(saved, price, at_most)),
        ("Saved by waiting: the same decision comes at the end", *_say(Answer(0, 0.0), price)),
    ]


def describe_saving(turn: Turn | None) -> str:
    """What there is to see, in a sentence."""
    if turn is None:
        return NOT_YET
    if (saving := measure_saving(turn)) is None:
        return READ_TO_THE_END
    share = 1 - saving.read.tokens / max(saving.all.tokens, 1)
    how = "" if saving.exact else "up to "
    return f"You stopped after {saving.read.tokens} tokens and saved {how}{share:.0%} of the answer."


def _say(answer: Answer, price: float, at_most: str = "") -> tuple[str, str, str]:
    dollars = answer.tokens * price / 1e6
    return at_most + format_count(answer.tokens), at_most + format_seconds(answer.seconds), f"{at_most}${dollars:.6f}"
