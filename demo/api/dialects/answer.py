"""An answer as one reader has it: the events of its run so far, and the times that the log tells. Knows no dialect."""

from dataclasses import dataclass, field

from demo.api.openapi.replies import NativeReason, StreamTimings
from demo.errors import DemoError, Incomplete
from demo.events import Done, Event, Failed, PromptRead, PromptToken, Request, Started, Token
from demo.metrics import measure_streamed
from demo.run import Run

MILLISECONDS = 1e3


@dataclass(slots=True)
class Answer:
    """Grows with `add`. A whole answer is a streamed one to which everything has been added."""

    run: Run
    events: list[Event] = field(default_factory=list)
    tokens: list[Token] = field(default_factory=list)
    characters: int = 0
    started: Started | None = None
    prompt: tuple[PromptToken, ...] = ()
    end: Done | Failed | None = None

    def add(self, event: Event) -> None:
        """The next event of the run."""
        self.events.append(event)
        if isinstance(event, Token):
            self.tokens.append(event)
            self.characters += len(event.text)
        elif isinstance(event, Started):
            self.started = event
        elif isinstance(event, PromptRead):
            self.prompt = event.tokens
        elif isinstance(event, Done | Failed):
            self.end = event

    @property
    def request(self) -> Request:
        return self.run.request

    @property
    def text(self) -> str:
        return "".join(token.text for token in self.tokens)

    @property
    def input_tokens(self) -> int:
        return self.started.input_tokens if self.started else 0

    @property
    def cached_tokens(self) -> int:
        """How many tokens of the prompt were reused and not computed."""
        return self.started.cached_tokens if self.started else 0

    @property
    def seed(self) -> int | None:
        """The seed that the tokens were drawn with; None where nothing was drawn."""
        return self.started.seed if self.started and self.request.sampling.is_random else None

    @property
    def finish_reason(self) -> NativeReason:
        """TGI's name for the end."""
        assert isinstance(self.end, Done), "the answer has not come to its end"
        assert self.end.finish_reason != "cancelled", "a cancelled answer has an error"
        return self.end.finish_reason

    @property
    def error(self) -> DemoError | None:
        """Why there will be no more, where that is not as it should be."""
        if isinstance(self.end, Failed):
            return self.end.error
        if isinstance(self.end, Done) and self.end.finish_reason == "cancelled":
            return Incomplete(f"it was cancelled after {self.end.generated_tokens} tokens; ask again.")
        return None

    def time(self) -> "Timings":
        """The times of an answer that has come to its end."""
        return Timings.of(self)


@dataclass(frozen=True, slots=True)
class Timings:
    """Where the time of one answer went, in milliseconds of the engine's clock. None: never came to it."""

    validation: float
    queue: float
    inference: float
    total: float
    time_per_token: float | None
    time_to_first_token: float | None
    prefill: float | None
    decode: float | None

    @classmethod
    def of(cls, answer: Answer) -> "Timings":
        """From the run's log."""
        run, line = answer.run, measure_streamed(answer.run.submitted, answer.events)
        validation = run.admitted - run.submitted
        total = line.end or 0.0
        started = total if line.started is None else line.started
        first, last = (line.tokens[0], line.tokens[-1]) if line.tokens else (None, None)
        inference = total - started
        return cls(
            validation=validation * MILLISECONDS,
            # The engine may take a request up before `submit` has returned.
            queue=max(started - validation, 0.0) * MILLISECONDS,
            inference=inference * MILLISECONDS,
            total=total * MILLISECONDS,
            time_per_token=_scale(inference / len(line.tokens) if line.tokens else None),
            time_to_first_token=_scale(line.ttft),
            prefill=_scale(None if first is None else first - started),
            decode=_scale(None if first is None or last is None else last - first),
        )

    def as_details(self) -> StreamTimings:
        """For the last event of a stream, which has no headers left."""
        return {
            "validation_time": round(self.validation, 3),
            "queue_time": round(self.queue, 3),
            "inference_time": round(self.inference, 3),
            "total_time": round(self.total, 3),
            "time_per_token": _round(self.time_per_token),
            "time_to_first_token": _round(self.time_to_first_token),
        }


def _scale(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * MILLISECONDS


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def write_headers(answer: Answer, device: str) -> dict[str, str]:
    """TGI's headers of a whole reply (whole milliseconds, and seconds for the first), and a Server-Timing."""
    timings = answer.time()
    milliseconds = {
        "x-total-time": timings.total,
        "x-validation-time": timings.validation,
        "x-queue-time": timings.queue,
        "x-inference-time": timings.inference,
        "x-time-per-token": timings.time_per_token or 0.0,
    }
    headers = {
        "x-compute-type": device,
        "x-compute-time": f"{timings.inference / MILLISECONDS:.6f}",
        "x-compute-characters": str(answer.characters),
        "x-prompt-tokens": str(answer.input_tokens),
        "x-generated-tokens": str(len(answer.tokens)),
        **{name: str(round(value)) for name, value in milliseconds.items()},
    }
    if timings.time_to_first_token is not None:
        headers["x-time-to-first-token"] = f"{timings.time_to_first_token:.3f}"
    parts = {"queue": timings.queue, "prefill": timings.prefill, "decode": timings.decode, "total": timings.total}
    headers["Server-Timing"] = ", ".join(f"{name};dur={ms:.3f}" for name, ms in parts.items() if ms is not None)
    return headers
