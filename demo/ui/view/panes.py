"""What a pane shows: the events of a run that one side has received, folded into a frozen view."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from demo.events import Done, EngineReport, Event, Failed, PromptProgress, Queued, Started, Token, is_elsewhere
from demo.metrics import Timeline, measure_streamed, measure_whole
from demo.reasoning import Kind, Part, find_start, join_kind, read_raw, split_tokens
from demo.request import Request
from demo.ui.view.words import ACTIVE, LOOPED, Phase, Side, describe_figures, format_seconds


@dataclass(frozen=True, slots=True)
class Reading:
    """One side's reading of a run: the events it has received, and when it detached, if it was stopped.

    `submitted` and `detached` are times of the engine's clock. `label` marks a run that is slowed or recorded.
    """

    side: Side
    request: Request
    submitted: float
    events: tuple[Event, ...] = ()
    detached: float | None = None
    label: str = ""
    number: int = 0  # the race's

    @property
    def last(self) -> Event | None:
        return self.events[-1] if self.events else None

    @property
    def tokens(self) -> list[Token]:
        return [event for event in self.events if isinstance(event, Token)]


@dataclass(frozen=True, slots=True)
class PaneView:
    """Everything one pane shows."""

    side: Side
    phase: Phase = "idle"
    text: str = ""
    timeline: Timeline = field(default_factory=Timeline)
    schedule: str = ""  # of a growing text: when each token was sampled, and its length
    note: str = ""
    label: str = ""
    number: int = 0  # the page ignores views of an older race
    progress: tuple[int, int] | None = None  # tokens of the prompt processed so far, and all of them
    queue: tuple[int, float | None] | None = None  # while it waits: requests ahead, seconds to the first token
    cached: tuple[int, int] | None = None  # tokens of the prompt from the prefix cache, and all of them; None for none
    elsewhere: bool = False  # its engine is another server, whose queue and prefill can't be told apart
    parts: tuple[Part, ...] = ()  # of the text of a model that may reason; none: all of it is the answer
    cut: bool = False  # the answer reached the maximum length and can be continued

    @property
    def active(self) -> bool:
        """Whether its clock is running."""
        return self.phase in ACTIVE

    def join(self, kind: Kind) -> str:
        """The text of its reasoning, or of the answer alone."""
        return join_kind(self.parts, kind) if self.parts else self.text if kind == "answer" else ""

    @property
    def tokens(self) -> int | None:
        """How many tokens its reader has received; None before the first."""
        return len(self.timeline.tokens) or None


# Way 17: Events become a frozen view: text, times, and when each token is due
def view_reading(reading: Reading) -> PaneView:
    phase, timeline = find_phase(reading), measure_reading(reading)
    return PaneView(
        reading.side,
        phase,
        read_text(reading),
        timeline,
        write_schedule(reading) if reading.side == "streamed" else "",
        _write_note(reading, phase, timeline),
        reading.label,
        reading.number,
        progress=next(((e.read, e.total) for e in reversed(reading.events) if isinstance(e, PromptProgress)), None),
        queue=(last.ahead, last.seconds) if isinstance(last := reading.last, Queued) else None,
        cached=find_cached(reading),
        parts=read_parts(reading, phase),
        elsewhere=is_elsewhere(reading.events),
        cut=phase == "done" and _is_cut(reading.last),
    )


def find_phase(reading: Reading) -> Phase:
    last = reading.last
    if isinstance(last, Failed):
        return "failed"
    if reading.detached is not None or (isinstance(last, Done) and last.finish_reason == "cancelled"):
        return "stopped"
    if isinstance(last, Done):
        return "done"
    if isinstance(last, Token):
        return "writing" if reading.side == "streamed" else "waiting"
    return "reading" if isinstance(last, Started | PromptProgress) else "queued"


def find_cached(reading: Reading) -> tuple[int, int] | None:
    """How many tokens of the prompt came from the prefix cache, of how many; None where none did."""
    told = [event for event in reading.events if isinstance(event, Started | EngineReport)]
    if not told or not (cached := told[-1].cached_tokens) or (read := told[-1].input_tokens) is None:
        return None
    return cached, read


def read_text(reading: Reading) -> str:
    """The text that a side shows: all of it so far when streamed, none before the end when whole."""
    return "".join(_list_texts(reading)) if _shows_text(reading) else ""


def read_parts(reading: Reading, phase: Phase) -> tuple[Part, ...]:
    """The parts of the text that a side shows; none where the model does not reason."""
    start = find_start(reading.events)
    if start == "none" or not _shows_text(reading):
        return ()
    split = split_tokens(start, reading.tokens, is_complete=phase not in ACTIVE)
    return Part("mark", ""), *(part for parts in split for part in parts)


def _shows_text(reading: Reading) -> bool:
    complete = isinstance(reading.last, Done) and reading.detached is None
    return reading.side == "streamed" or complete


def _list_texts(reading: Reading) -> list[str]:
    """The text of each token as the model wrote it, with the marks around its reasoning."""
    start = find_start(reading.events)
    return [read_raw(token, start) for token in reading.tokens]


# Way 18: The schedule is one string that only grows: each token's time and length
def write_schedule(reading: Reading) -> str:
    """Per token "offset length;": milliseconds since the request, UTF-16 code units of text.

    It is one string that grows, since Gradio sends only the new end of such a string.
    """
    return "".join(
        f"{1000 * (token.time - reading.submitted):.0f} {measure_utf16(text)};"
        for token, text in zip(reading.tokens, _list_texts(reading), strict=True)
    )


def write_parts(parts: Sequence[Part]) -> str:
    """Per part its kind's first letter and its length: "r5;m8;a12;". It only grows, as the schedule does."""
    return "".join(f"{part.kind[0]}{measure_utf16(part.text)};" for part in parts)


def measure_utf16(text: str) -> int:
    """The length of a text in the browser."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def measure_reading(reading: Reading) -> Timeline:
    """The timeline of a side; a stopped side's ends where it was stopped."""
    streamed = measure_streamed(reading.submitted, reading.events)
    end = streamed.end if reading.detached is None else reading.detached - reading.submitted
    if reading.side == "streamed":
        return replace(streamed, end=end)
    if reading.detached is not None or isinstance(reading.last, Failed):
        return Timeline(started=streamed.started, end=end)
    return measure_whole(streamed)


def _write_note(reading: Reading, phase: Phase, timeline: Timeline) -> str:
    if isinstance(reading.last, Failed):
        return str(reading.last.error)
    if phase == "stopped" and reading.side == "whole":
        return f"stopped after {format_seconds(timeline.end)}: nothing had been shown"
    if phase == "stopped":
        return describe_saved(reading, timeline)
    if isinstance(reading.last, Done) and reading.last.finish_reason == "repetition":
        return f"{LOOPED}: ended after {reading.last.generated_tokens} tokens"
    if isinstance(reading.last, Done) and _is_cut(reading.last):
        return f"cut off at {reading.last.generated_tokens} tokens, the requested length"
    report = next((event for event in reading.events if isinstance(event, EngineReport)), None)
    return describe_figures(report.figures) if report is not None else ""


def _is_cut(last: Event | None) -> bool:
    return isinstance(last, Done) and last.finish_reason == "length"


def describe_saved(stopped: Reading, timeline: Timeline, whole: Timeline | None = None) -> str:
    """What stopping the streamed side saved: estimated from its rate, or exact with the `whole` side's timeline."""
    count, limit = len(timeline.tokens), stopped.request.max_new_tokens
    if whole is not None and whole.end is not None and timeline.end is not None:
        saved = format_seconds(max(whole.end - timeline.end, 0.0))
        return f"stopped at token {count} of {len(whole.tokens)}, {saved} of waiting saved"
    if limit is None or timeline.tpot is None:
        return f"stopped at token {count} of up to {limit}"
    saved = format_seconds((limit - count) * timeline.tpot)
    return f"stopped at token {count} of up to {limit}, up to {saved} of waiting saved"


def complete_views(streamed: Reading, whole: Reading) -> tuple[PaneView, PaneView]:
    """Both sides' last views: a stopped streamed side's note then has the exact numbers of the whole side."""
    streamed_view, whole_view = view_reading(streamed), view_reading(whole)
    if streamed_view.phase == "stopped" and whole_view.phase == "done":
        note = describe_saved(streamed, streamed_view.timeline, whole_view.timeline)
        streamed_view = replace(streamed_view, note=note)
    return streamed_view, whole_view
