"""What a pane shows: a run's events, as one side has been told of them, folded into a frozen view. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from demo.events import Done, Event, Failed, PromptProgress, Request, Started, Token
from demo.metrics import Timeline, measure_streamed, measure_whole
from demo.ui.view.words import ACTIVE, Phase, Side, format_seconds


@dataclass(frozen=True, slots=True)
class Reading:
    """One side's reading of a run: the events it was told of, and when it left before the end, if it did.

    `submitted` and `left` are moments of the engine's clock. `label` says so where the run is not the model's at its
    own speed, now. `number` is the race's.
    """

    side: Side
    request: Request
    submitted: float
    events: tuple[Event, ...] = ()
    left: float | None = None
    label: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True)
class PaneView:
    """Everything one pane shows."""

    side: Side
    phase: Phase = "idle"
    text: str = ""
    timeline: Timeline = field(default_factory=Timeline)
    schedule: str = ""  # of a text that grows: when each token was sampled, and how much of the text it is
    note: str = ""
    label: str = ""
    number: int = 0  # the page shows nothing that is older than what it shows
    progress: tuple[int, int] | None = None  # tokens of the prompt read so far, and all of them
    remembered: tuple[int, int] | None = None  # tokens of the prompt that were reused, and all of them; None for none
    cut: bool = False  # the answer was cut off by its length: there is more to say

    @property
    def active(self) -> bool:
        """Whether its clock is running."""
        return self.phase in ACTIVE

    @property
    def tokens(self) -> int | None:
        """How many tokens its reader has got; None before the first."""
        return len(self.timeline.tokens) or None


def view_reading(reading: Reading) -> PaneView:
    """The view of a side that has been told of `reading.events`."""
    phase = find_phase(reading)
    timeline = measure_reading(reading)
    note = _explain(reading, phase, timeline)
    return PaneView(
        reading.side,
        phase,
        read_text(reading),
        timeline,
        write_schedule(reading) if reading.side == "streamed" else "",
        note,
        reading.label,
        reading.number,
        progress=find_progress(reading),
        remembered=find_reuse(reading),
        cut=phase == "done" and _is_cut(reading.events[-1]),
    )


def find_phase(reading: Reading) -> Phase:
    """Where a side stands."""
    last = reading.events[-1] if reading.events else None
    if isinstance(last, Failed):
        return "failed"
    if reading.left is not None or (isinstance(last, Done) and last.finish_reason == "cancelled"):
        return "stopped"
    if isinstance(last, Done):
        return "done"
    if isinstance(last, Token):
        return "writing" if reading.side == "streamed" else "waiting"
    return "reading" if isinstance(last, Started | PromptProgress) else "queued"


def find_progress(reading: Reading) -> tuple[int, int] | None:
    """How many tokens of the prompt have been read, of how many; None where the log does not say."""
    progress = [event for event in reading.events if isinstance(event, PromptProgress)]
    return (progress[-1].read, progress[-1].total) if progress else None


def find_reuse(reading: Reading) -> tuple[int, int] | None:
    """How many tokens of the prompt were reused and not computed, of how many; None where none were."""
    started = next((event for event in reading.events if isinstance(event, Started)), None)
    return (started.cached_tokens, started.input_tokens) if started and started.cached_tokens else None


def read_text(reading: Reading) -> str:
    """The text a side can show: all it was told of when streamed, nothing before the end when whole."""
    whole_is_here = reading.events and isinstance(reading.events[-1], Done) and reading.left is None
    if reading.side == "whole" and not whole_is_here:
        return ""
    return "".join(event.text for event in reading.events if isinstance(event, Token))


def write_schedule(reading: Reading) -> str:
    """Per token "offset length;": milliseconds since the request, UTF-16 code units of text. It only ever grows.

    As one string: of a string that grows, Gradio sends the new end alone.
    """
    tokens = [event for event in reading.events if isinstance(event, Token)]
    return "".join(f"{1000 * (token.time - reading.submitted):.0f} {_count_units(token.text)};" for token in tokens)


def _count_units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def measure_reading(reading: Reading) -> Timeline:
    """The timeline of a side; for one that left early it ends there."""
    streamed = measure_streamed(reading.submitted, reading.events)
    if reading.left is None:
        failed = bool(reading.events) and isinstance(reading.events[-1], Failed)
        whole = replace(streamed, ttft=None, tokens=()) if failed else measure_whole(streamed)
        return streamed if reading.side == "streamed" else whole
    end = reading.left - reading.submitted
    if reading.side == "streamed":
        return replace(streamed, end=end)
    return Timeline(started=streamed.started, end=end)


def _explain(reading: Reading, phase: Phase, timeline: Timeline) -> str:
    last = reading.events[-1] if reading.events else None
    if isinstance(last, Failed):
        return str(last.error)
    if phase == "stopped":
        return describe_saved(reading, timeline) if reading.side == "streamed" else _describe_nothing_shown(timeline)
    if isinstance(last, Done) and _is_cut(last):
        return f"cut off at {last.generated_tokens} tokens, the length asked for"
    return ""


def _is_cut(last: Event) -> bool:
    return isinstance(last, Done) and last.finish_reason == "length"


def describe_saved(stopped: Reading, timeline: Timeline, whole: Timeline | None = None) -> str:
    """What stopping the streamed side saved: estimated from its pace, exact once `whole` has come to its end."""
    count, limit = len(timeline.tokens), stopped.request.max_new_tokens
    if whole is not None and whole.end is not None and timeline.end is not None:
        saved = format_seconds(max(whole.end - timeline.end, 0.0))
        return f"stopped at token {count} of {len(whole.tokens)}, {saved} of waiting saved"
    if limit is None or timeline.tpot is None:
        return f"stopped at token {count} of up to {limit}"
    saved = format_seconds((limit - count) * timeline.tpot)
    return f"stopped at token {count} of up to {limit}, up to {saved} of waiting saved"


def _describe_nothing_shown(timeline: Timeline) -> str:
    return f"stopped after {format_seconds(timeline.end)}: nothing had been shown"


def settle_views(streamed: Reading, whole: Reading) -> tuple[PaneView, PaneView]:
    """Both sides' last views, when both have ended: what one saved is now known from the other."""
    streamed_view, whole_view = view_reading(streamed), view_reading(whole)
    if streamed_view.phase == "stopped" and whole_view.phase == "done":
        note = describe_saved(streamed, streamed_view.timeline, whole_view.timeline)
        streamed_view = replace(streamed_view, note=note)
    return streamed_view, whole_view


def read_answer(views: Sequence[PaneView]) -> str:
    """The answer as far as anybody has read it."""
    return max((view.text for view in views), key=len, default="")
