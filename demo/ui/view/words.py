"""Durations, counts, rates, phases and labels as text."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from demo.trace import Trace

# The page's scripts read them too.
SHARED: Final = Path(__file__).resolve().parents[3] / "assets" / "constants.json"
CONSTANTS: Final[dict[str, Any]] = json.loads(SHARED.read_text("utf-8"))

Side: TypeAlias = Literal["streamed", "whole"]
Phase: TypeAlias = Literal["idle", "queued", "reading", "writing", "waiting", "done", "stopped", "failed"]

SIDES: Final[tuple[Side, ...]] = ("streamed", "whole")
TITLES: Final[dict[Side, str]] = CONSTANTS["titles"]
ACTIVE: Final[frozenset[Phase]] = frozenset({"queued", "reading", "writing", "waiting"})
MISSING: Final[str] = CONSTANTS["missing"]
ARRIVALS: Final = "times are arrivals here, the engine is elsewhere"
LOOPED: Final = "the model repeats itself"
FROM_LINK: Final[str] = "from the link, not from this server's model"


def describe_phase(
    phase: Phase,
    progress: tuple[int, int] | None = None,
    queue: tuple[int, float | None] | None = None,
    elsewhere: bool = False,
) -> str:
    """The phase; `progress` is how many tokens of the prompt have been processed, of how many.

    `queue` is how many requests are ahead of one that waits, and in how many seconds its first token is expected.
    `elsewhere`: the engine is another server, whose queue and prefill can't be told apart.
    """
    if phase == "queued" and elsewhere:
        return "waiting for the engine"
    if phase == "queued" and queue is not None:
        return describe_queue(*queue)
    if phase == "reading" and progress is not None:
        return f"reading the prompt: {progress[0]:,} of {progress[1]:,} tokens"
    return {"idle": "ready", "reading": "reading the prompt"}.get(phase, phase)


def describe_queue(ahead: int, seconds: float | None) -> str:
    """Where a request is in the queue: "queued: 3 requests ahead, first words in about 2 s"."""
    place = "next" if ahead == 0 else "1 request ahead" if ahead == 1 else f"{ahead} requests ahead"
    return f"queued: {place}" + ("" if seconds is None else f", first words in about {max(math.ceil(seconds), 1)} s")


def describe_cached(cached: tuple[int, int] | None) -> str:
    """How many tokens of the prompt came from the prefix cache, of how many; empty for None."""
    return f"{cached[0]:,} of {cached[1]:,} prompt tokens remembered" if cached else ""


def describe_reasoning(ttft: float | None, answered: float | None) -> str:
    """When a model that reasons began its answer, beside when it began to write; empty where it has not done both."""
    if ttft is None or answered is None:
        return ""
    return f"first token after {format_seconds(ttft)}, first answer token after {format_seconds(answered)}"


def describe_recording(trace: Trace, from_link: bool = False) -> str:
    """The label of a run that is played from a recording: this server's, or one that a link brought."""
    slowed = f", slowed to {trace.pace:g} tokens/s" if trace.pace else ""
    if from_link:  # machine and date are the link's own words too
        return f"{FROM_LINK}{slowed}"
    return f"recorded {trace.recorded_on.isoformat()} on {trace.place}{slowed}"


def describe_pace(pace: float | None, rate: float | None) -> str:
    """The label of a run slowed to `pace` tokens/s on a machine that decodes `rate`, if known; empty at real speed."""
    if pace is None:
        return ""
    slower = rate is not None and rate < pace
    return f"real speed: slower here than {pace:g} tokens/s" if slower else f"slowed to {pace:g} tokens/s"


def describe_figures(figures: Sequence[tuple[str, float]]) -> str:
    """What an engine elsewhere says of its own times, by its own names; empty where it says nothing."""
    told = ", ".join(f"{name} {value:g}" for name, value in figures)
    return f"the engine's own figures: {told}" if told else ""


def format_seconds(seconds: float | None) -> str:
    """A duration: "72 ms", "1.24 s", "12.4 s"."""
    if seconds is None:
        return MISSING
    unit = next(each for each in CONSTANTS["durations"] if seconds < each.get("below", math.inf))
    return f"{seconds * unit['scale']:.{unit['digits']}f} {unit['unit']}"


def format_count(count: int | None) -> str:
    """A count with a thousands separator: "1,024"."""
    return MISSING if count is None else f"{count:,}"


def format_rate(rate: float | None) -> str:
    """A rate in tokens/s: "91.5"."""
    return MISSING if rate is None else f"{rate:.1f}"
