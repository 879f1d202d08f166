"""What a pane shows: a run's events, as one side has been told of them, folded into a frozen view. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from demo.events import Done, Event, Failed, Request, Token
from demo.metrics import Timeline, measure_streamed, measure_whole
from demo.ui.words import ACTIVE, Phase, Side, say_seconds


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
    note: str = ""
    label: str = ""
    number: int = 0  # the page shows nothing that is older than what it shows

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
    return PaneView(reading.side, phase, read_text(reading), timeline, note, reading.label, reading.number)


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
    return "queued" if last is None else "reading"


def read_text(reading: Reading) -> str:
    """The text a side can show: all it was told of when streamed, nothing before the end when whole."""
    whole_is_here = reading.events and isinstance(reading.events[-1], Done) and reading.left is None
    if reading.side == "whole" and not whole_is_here:
        return ""
    return "".join(event.text for event in reading.events if isinstance(event, Token))


def measure_reading(reading: Reading) -> Timeline:
    """The timeline of a side; for one that left early it ends there."""
    streamed = measure_streamed(reading.submitted, reading.events)
    if reading.left is None:
        failed = bool(reading.events) and isinstance(reading.events[-1], Failed)
        whole = replace(streamed, first_text=None, tokens=()) if failed else measure_whole(streamed)
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
        return say_saved(reading, timeline) if reading.side == "streamed" else _say_nothing_shown(timeline)
    if isinstance(last, Done) and last.finish_reason == "length":
        return f"cut off at {last.generated_tokens} tokens, the length asked for"
    return ""


def say_saved(stopped: Reading, timeline: Timeline, whole: Timeline | None = None) -> str:
    """What stopping the streamed side saved: estimated from its pace, exact once `whole` has come to its end."""
    count, limit = len(timeline.tokens), stopped.request.max_new_tokens
    if whole is not None and whole.end is not None and timeline.end is not None:
        saved = say_seconds(max(whole.end - timeline.end, 0.0))
        return f"stopped at token {count} of {len(whole.tokens)}, {saved} of waiting saved"
    if limit is None or timeline.tpot is None:
        return f"stopped at token {count} of up to {limit}"
    saved = say_seconds((limit - count) * timeline.tpot)
    return f"stopped at token {count} of up to {limit}, up to {saved} of waiting saved"


def _say_nothing_shown(timeline: Timeline) -> str:
    return f"stopped after {say_seconds(timeline.end)}: nothing had been shown"


def settle_views(streamed: Reading, whole: Reading) -> tuple[PaneView, PaneView]:
    """Both sides' last views, when both have ended: what one saved is now known from the other."""
    streamed_view, whole_view = view_reading(streamed), view_reading(whole)
    if streamed_view.phase == "stopped" and whole_view.phase == "done":
        note = say_saved(streamed, streamed_view.timeline, whole_view.timeline)
        streamed_view = replace(streamed_view, note=note)
    return streamed_view, whole_view


def read_answer(views: Sequence[PaneView]) -> str:
    """The answer as far as anybody has read it."""
    return max((view.text for view in views), key=len, default="")
