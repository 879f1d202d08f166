"""Replay: an engine without a model, which plays recorded runs at their own times and refuses other requests."""

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Final

from demo.choice import Choice
from demo.engine import Log, ModelCard, Piece, PlainPrompts, Ready, Status, Ticket
from demo.engines.playback import PlaybackEngine
from demo.errors import BadRequest, NotReady, SettingError
from demo.events import Done, Event, Token
from demo.metrics import measure_streamed
from demo.request import Prompt, Request
from demo.settings import Settings
from demo.trace import Trace, read_trace

logger = logging.getLogger(__name__)

RECORDINGS: Final = Path(__file__).resolve().parents[2] / "assets" / "traces"


class Replay(PlaybackEngine):
    """Plays the one of `traces` (at least one) with the request's prompt and settings; at most `limit` at once."""

    def __init__(self, traces: Sequence[Trace], limit: int = 64, plain_prompts: PlainPrompts = "chat") -> None:
        super().__init__(limit, f"{limit} runs are being played, which is the limit: try again in a moment.")
        self._traces = traces
        self._plain_prompts = plain_prompts

    @property
    def status(self) -> Status:
        first = self._traces[0]
        length = max(len(trace.tokens) for trace in self._traces)
        card = ModelCard(first.model_id, None, "recorded", first.device, first.dtype, length, length + 1)
        return Ready(replace(card, rate=find_rate(self._traces), plain_prompts=self._plain_prompts))

    def tokenize(self, prompt: Prompt, options: str = "{}") -> tuple[str, tuple[Piece, ...]]:
        raise NotReady("This server plays recorded runs and has no tokenizer: start it without --replay-only.")

    def submit_all(self, requests: Sequence[Request], logs: Sequence[Log]) -> Sequence[Ticket]:
        pairs = [(find_trace(self._traces, request), request) for request in requests]
        return self.play_all((schedule_trace(*pair, time.perf_counter()) for pair in pairs), logs)


def open_replay(traces: Sequence[Trace], settings: Settings) -> Replay:
    """An engine of `traces`, logged as the model."""
    logger.info("%s", Choice("model", traces[0].model_id, f"{len(traces)} recorded runs, because of --replay-only"))
    return Replay(traces, plain_prompts=settings.plain_prompts)


def find_trace(traces: Sequence[Trace], request: Request) -> Trace:
    """The recording of `request`, of any length, pace and client. Raises BadRequest where there is none."""
    for trace in traces:
        if _drop_circumstances(request) == _drop_circumstances(trace.request):
            return trace
    raise BadRequest(
        "This server plays recorded runs only, and none is of this prompt with these settings: send one of "
        f"{', '.join(repr(trace.question) for trace in traces)} with the settings that it was recorded with."
    )


def _drop_circumstances(request: Request) -> Request:
    """The request without what changes no token: length, pace, client, prefix cache, and where a loop ends."""
    return replace(request, max_new_tokens=None, pace=None, client=None, cache_prompt=True, ends_loops=False)


def find_rate(traces: Sequence[Trace]) -> float | None:
    """Decode tokens/s of the runs that were recorded at their own speed: the median; None where there is none."""
    timelines = [measure_streamed(0.0, trace.events) for trace in traces if trace.pace is None]
    gaps = [timeline.tpot for timeline in timelines if timeline.tpot]
    return 1 / median(gaps) if gaps else None


def schedule_trace(trace: Trace, request: Request, start: float) -> Iterator[Sequence[Event]]:
    """The events of a trace from `start` on, at the request's length and pace; the last token together with the end."""
    events = slow_down((replace(event, time=start + event.time) for event in trace.events), request.pace)
    *played, done = events
    if request.max_new_tokens is not None and request.max_new_tokens < len(trace.tokens):
        played = played[: 1 + request.max_new_tokens]
        done = Done(played[-1].time, "length", request.max_new_tokens)
    is_joined = isinstance(played[-1], Token) and isinstance(done, Done) and done.finish_reason != "cancelled"
    yield from ([event] for event in played[: len(played) - is_joined])
    yield [played[-1], done] if is_joined else [done]


def slow_down(events: Iterable[Event], pace: float | None) -> Iterator[Event]:
    """The events in order, each token at least 1 / `pace` seconds after the one before."""
    due, gap = 0.0, 0.0
    for event in events:
        due = max(event.time, due + gap if isinstance(event, Token) else due)
        gap = 1 / pace if pace and isinstance(event, Token) else gap
        yield replace(event, time=due)


def read_recordings(folder: Path = RECORDINGS) -> tuple[Trace, ...]:
    """The recorded runs that ship with the demo, in the order of their names. Raises SettingError without any."""
    traces = tuple(read_trace(path.read_text("utf-8")) for path in sorted(folder.glob("*.json")))
    if not traces:
        raise SettingError(f"There are no recorded runs in {folder}: make some with `python -m tests.recordings`.")
    return traces


def choose_recording(traces: Sequence[Trace], question: str) -> Trace | None:
    """The recording of `question` if there is one, else the first."""
    return next((trace for trace in traces if trace.question == question.strip()), traces[0] if traces else None)
