"""The answer to one request, as one reader has received it: the events of its run so far, and where its time went.

Knows no dialect.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from demo.api.openapi.replies import NativeReason, StreamTimings
from demo.errors import DemoError, Incomplete
from demo.events import Done, EngineReport, Event, Failed, PromptRead, PromptToken, Sent, Started, Token
from demo.metrics import measure_streamed
from demo.reasoning import Kind, Part, ReasoningParser, join_kind
from demo.request import Request
from demo.run import Run

MILLISECONDS: Final = 1e3
HEADERS: Final = ("total_time", "validation_time", "queue_time", "inference_time", "time_per_token")


@dataclass(frozen=True, slots=True)
class Timings:
    """In milliseconds of the engine's clock. None: the answer ended before that stage, or an engine elsewhere hides it.

    An engine elsewhere tells its queue from its prefill at most in its own figures, `engine`.
    """

    validation_time: float
    queue_time: float | None
    inference_time: float
    total_time: float
    time_per_token: float | None
    time_to_first_token: float | None
    prefill: float | None
    decode: float | None
    engine: tuple[tuple[str, float], ...] = ()
    time_to_first_answer: float | None = None  # of a model that has reasoned before it

    @classmethod
    def measure(cls, run: Run, events: Sequence[Event]) -> "Timings":
        """The timings of a run that has ended with the last of `events`."""
        timeline = measure_streamed(run.submitted, events)
        validation = run.admitted - run.submitted
        total = timeline.end or 0.0
        sent = next((event.time - run.submitted for event in events if isinstance(event, Sent)), None)
        started = next((time for time in (sent, timeline.started) if time is not None), total)
        inference, tokens = total - started, timeline.tokens
        return cls(
            validation_time=validation * MILLISECONDS,
            # The engine may take a request up before `submit` has returned.
            queue_time=max(started - validation, 0.0) * MILLISECONDS if sent is None else None,
            inference_time=inference * MILLISECONDS,
            total_time=total * MILLISECONDS,
            time_per_token=inference / len(tokens) * MILLISECONDS if tokens else None,
            time_to_first_token=None if timeline.ttft is None else timeline.ttft * MILLISECONDS,
            prefill=(tokens[0] - started) * MILLISECONDS if tokens and sent is None else None,
            decode=(tokens[-1] - tokens[0]) * MILLISECONDS if tokens else None,
            engine=next((event.figures for event in events if isinstance(event, EngineReport)), ()),
            time_to_first_answer=None if timeline.answered is None else timeline.answered * MILLISECONDS,
        )

    def as_details(self) -> StreamTimings:
        """For the last event of a stream, whose headers have been sent."""
        timings: StreamTimings = {
            "validation_time": round(self.validation_time, 3),
            "queue_time": self.queue_time and round(self.queue_time, 3),
            "inference_time": round(self.inference_time, 3),
            "total_time": round(self.total_time, 3),
            "time_per_token": self.time_per_token and round(self.time_per_token, 3),
            "time_to_first_token": self.time_to_first_token and round(self.time_to_first_token, 3),
        }
        if self.time_to_first_answer is not None:
            timings["time_to_first_answer"] = round(self.time_to_first_answer, 3)
        return {**timings, "engine": dict(self.engine)} if self.engine else timings

    def as_headers(self) -> dict[str, str]:
        """TGI's headers of a whole reply, most in whole milliseconds, and a Server-Timing."""
        told = [name for name in HEADERS if name != "queue_time" or self.queue_time is not None]
        headers = {f"x-{name.replace('_', '-')}": str(round(getattr(self, name) or 0.0)) for name in told}
        if self.time_to_first_token is not None:
            headers["x-time-to-first-token"] = f"{self.time_to_first_token:.3f}"
        if self.time_to_first_answer is not None:
            headers["x-time-to-first-answer"] = f"{self.time_to_first_answer:.3f}"
        stages = {"queue": self.queue_time, "prefill": self.prefill, "decode": self.decode, "total": self.total_time}
        headers["Server-Timing"] = ", ".join(f"{name};dur={ms:.3f}" for name, ms in stages.items() if ms is not None)
        return headers


@dataclass(slots=True)
class Answer:
    """Grows with `add`. A whole answer is a streamed one to which everything has been added."""

    run: Run
    events: list[Event] = field(default_factory=list)
    tokens: list[Token] = field(default_factory=list)
    characters: int = 0
    started: Started | None = None
    input_tokens: int | None = None
    cached_tokens: int | None = None  # the prompt tokens that were reused and not computed
    prompt: tuple[PromptToken, ...] = ()
    end: Done | Failed | None = None
    parts: list[tuple[Part, ...]] = field(default_factory=list)  # of each token: reasoning, answer, marks
    _parser: ReasoningParser = field(default_factory=lambda: ReasoningParser("none"))

    @classmethod
    def of(cls, run: Run) -> "Answer":
        answer = cls(run)
        for event in run.events:
            answer.add(event)
        return answer

    def add(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, Token):
            self.tokens.append(event)
            self.characters += len(event.text)
            self.parts.append(self._parser.feed(event))
        elif isinstance(event, EngineReport):
            self.input_tokens, self.cached_tokens = event.input_tokens, event.cached_tokens
        elif isinstance(event, Started):
            self.started = event
            self._parser = ReasoningParser(event.reasoning)
            self.input_tokens, self.cached_tokens = event.input_tokens, event.cached_tokens
        elif isinstance(event, PromptRead):
            self.prompt = event.tokens
        elif isinstance(event, Done | Failed):
            self.end = event
            if self.parts:
                self.parts[-1] += self._parser.end()

    @property
    def request(self) -> Request:
        return self.run.request

    @property
    def text(self) -> str:
        return "".join(token.text for token in self.tokens)

    @property
    def reasons(self) -> bool:
        """Whether the model may reason before its answer."""
        return self.started is not None and self.started.reasoning != "none"

    @property
    def reasoning_tokens(self) -> int:
        return self._parser.reasoning_tokens

    def join(self, kind: Kind) -> str:
        """The text of its reasoning, or of the answer alone."""
        return "".join(join_kind(parts, kind) for parts in self.parts)

    @property
    def seed(self) -> int | None:
        """The seed of the sampler; None for greedy decoding."""
        return self.started.seed if self.started and self.request.sampling.is_random else None

    @property
    def finish_reason(self) -> NativeReason:
        assert isinstance(self.end, Done), "the answer has not ended"
        assert self.end.finish_reason != "cancelled", "a cancelled answer has an error"
        assert self.end.finish_reason != "repetition", "no request of the API asks for that end"
        return self.end.finish_reason

    @property
    def error(self) -> DemoError | None:
        """Why the answer ended before it was complete, if it did."""
        if isinstance(self.end, Failed):
            return self.end.error
        if isinstance(self.end, Done) and self.end.finish_reason == "cancelled":
            return Incomplete(f"it was cancelled after {self.end.generated_tokens} tokens; ask again.")
        return None

    def timings(self) -> Timings:
        return Timings.measure(self.run, self.events)

    def headers(self, device: str) -> dict[str, str]:
        """TGI's headers of a whole reply: counts and timings."""
        timings = self.timings()
        return {
            "x-compute-type": device,
            "x-compute-time": f"{timings.inference_time / MILLISECONDS:.6f}",
            "x-compute-characters": str(self.characters),
            **({} if self.input_tokens is None else {"x-prompt-tokens": str(self.input_tokens)}),
            "x-generated-tokens": str(len(self.tokens)),
            **timings.as_headers(),
        }


def combine_counts(combine: Callable[[Iterable[int]], int], counts: Iterable[int | None]) -> int | None:
    """Their sum, or the least; None where an engine elsewhere does not tell one of them."""
    known = list(counts)
    return None if None in known else combine(count for count in known if count is not None)
