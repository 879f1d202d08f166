"""How values read: durations, counts, rates and phases in words. Pure."""

from typing import Final, Literal, TypeAlias

from demo.trace import Trace

Side: TypeAlias = Literal["streamed", "whole"]
Phase: TypeAlias = Literal["idle", "queued", "reading", "writing", "waiting", "done", "stopped", "failed"]

SIDES: Final[tuple[Side, ...]] = ("streamed", "whole")
TITLES: Final[dict[Side, str]] = {"streamed": "Streaming", "whole": "Non-streaming"}
ACTIVE: Final[frozenset[Phase]] = frozenset({"queued", "reading", "writing", "waiting"})
PHASES: Final[dict[Phase, str]] = {
    "idle": "ready",
    "queued": "queued",
    "reading": "reading the prompt",
    "writing": "writing",
    "waiting": "waiting",
    "done": "done",
    "stopped": "stopped",
    "failed": "failed",
}
NOTHING: Final = "–"


def describe_phase(phase: Phase, progress: tuple[int, int] | None = None) -> str:
    """Where a side stands; `progress` is how many tokens of the prompt have been read, of how many."""
    if phase == "reading" and progress is not None:
        return f"{PHASES[phase]}: {progress[0]:,} of {progress[1]:,} tokens"
    return PHASES[phase]


def describe_reuse(remembered: tuple[int, int] | None) -> str:
    """How many tokens of the prompt were reused and not computed, of how many; nothing where none were."""
    return f"{remembered[0]:,} of {remembered[1]:,} prompt tokens remembered" if remembered else ""


def format_seconds(seconds: float | None) -> str:
    """A duration as a person reads it: "72 ms", "1.24 s", "12.4 s"."""
    if seconds is None:
        return NOTHING
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:.1f} s"


def format_count(count: int | None) -> str:
    """A count, with thousands set apart: "1,024"."""
    return NOTHING if count is None else f"{count:,}"


def format_rate(rate: float | None) -> str:
    """A rate in tokens a second: "91.5"."""
    return NOTHING if rate is None else f"{rate:.1f}"


def describe_recording(trace: Trace) -> str:
    """That a run is not being made now: when and where it was."""
    slowed = f", slowed to {trace.pace:g} tokens/s" if trace.pace else ""
    return f"recorded {trace.recorded_on.isoformat()} on {trace.device}{slowed}"
