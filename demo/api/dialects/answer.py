"""The answer to one request, as one reader has received it: the events of its run so far. Knows no dialect."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from demo.api.dialects.timings import MILLISECONDS, Timings
from demo.api.openapi.replies import NativeReason
from demo.errors import DemoError, Incomplete
from demo.events import Done, EngineReport, Event, Failed, PromptRead, PromptToken, Started, Token
from demo.reasoning import Kind, Part, ReasoningParser, join_kind
from demo.request import Request
from demo.run import Run


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
