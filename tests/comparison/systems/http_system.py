"""A server under test: OpenAI's chat completions over HTTP."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from demo.bench.client import Client
from demo.bench.dialects import DIALECTS, Json, read_count
from demo.bench.sample import MeasurementError, TimedResponse, describe_error, read_events, read_sample
from demo.bench.software import UNKNOWN, Software
from tests.comparison.systems.process import Process
from tests.comparison.systems.system import Answer, Identity, Question, SystemUnderTest

_CHAT = DIALECTS["chat"]


@dataclass(frozen=True, slots=True)
class HttpSystem(SystemUnderTest):
    """A server, and its process where the comparison started it.

    Every request has the parameters `extras`, and those that switch prefix caching off.
    """

    identity: Identity
    client: Client
    model: str
    extras: Mapping[str, Json] = field(default_factory=dict)
    software: Software = UNKNOWN
    process: Process | None = None

    def ask(self, questions: Sequence[Question], stagger: float = 0.0) -> list[Answer]:
        bodies = [self._write(question) for question in questions]
        responses = self.client.post_together(_CHAT.path("streamed"), bodies, stagger)
        return [read_answer(response) for response in responses]

    def _write(self, question: Question) -> Json:
        return {
            "model": self.model,
            "messages": question.messages,
            "max_tokens": question.new_tokens,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
            **self.extras,
            **self.software.write_cache_parameters(),
        }


def read_answer(response: TimedResponse) -> Answer:
    """The answer in a response. Raises MeasurementError where it is a refusal, an error or has no text."""
    if not response.is_success:
        raise MeasurementError(f"It {describe_error(response)}")
    sample = read_sample(_CHAT, "streamed", response)
    usages = [event["usage"] for _, event in read_events(response) if event.get("usage")]
    usage = usages[-1] if usages else {}
    return Answer(
        asked=response.sent,
        times=tuple(response.sent + time for time in sample.timeline.tokens),
        tokens=read_count({"usage": usage}) or len(sample.timeline.tokens),
        text=sample.text,
        prompt_tokens=usage.get("prompt_tokens"),
    )
