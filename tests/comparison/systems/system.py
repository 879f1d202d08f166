"""The systems under test: a server over HTTP, and a library in a subprocess; their questions and timed answers."""

import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise

from demo.bench.client import TIMEOUT, Client
from demo.bench.dialects import DIALECTS, Json, read_count
from demo.bench.sample import MeasurementError, TimedResponse, describe_error, read_events, read_sample
from demo.bench.software import UNKNOWN, Software
from tests.comparison.systems.process import Process

Messages = tuple[dict[str, str], ...]
_CHAT = DIALECTS["chat"]


@dataclass(frozen=True, slots=True)
class Question:
    """A conversation to continue greedily by `new_tokens` tokens."""

    messages: Messages
    new_tokens: int


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. All times in seconds of this machine's monotonic clock.

    `times`: arrivals of the pieces of text. `tokens`: the generated tokens as the system reports them, else the number
    of pieces.
    """

    asked: float
    times: tuple[float, ...]
    tokens: int
    text: str
    prompt_tokens: int | None = None

    @property
    def ttft(self) -> float:
        return self.times[0] - self.asked

    @property
    def gaps(self) -> tuple[float, ...]:
        return tuple(later - earlier for earlier, later in pairwise(self.times))


@dataclass(frozen=True, slots=True)
class Identity:
    """A system's name, version and weights. `weight_bytes`: read for each token; None where not known.

    `interface`: HTTP or in process. `concurrent`: whether it answers several requests at once. `is_ours`: whether the
    others are compared with it.
    """

    name: str
    version: str
    weights: str
    weight_bytes: int | None
    interface: str
    concurrent: bool = True
    is_ours: bool = False
    prefix_caching: str = UNKNOWN.prefix_caching

    @property
    def peer(self) -> str:
        """The name without the data type of its weights: the same for both data types of one peer."""
        return self.name.removesuffix(f" {self.weights}")


class SystemUnderTest(ABC):
    """Anything that answers questions. `process`: its own, where the comparison started it."""

    identity: Identity
    process: Process | None

    @abstractmethod
    def ask(self, questions: Sequence[Question], stagger: float = 0.0) -> list[Answer]:
        """The answers to questions sent `stagger` seconds after each other; 0 sends all at once.

        Raises MeasurementError where it fails.
        """

    def pause(self) -> None:
        """Use no CPU until `resume`."""
        if self.process is not None:
            self.process.pause()

    def resume(self) -> None:
        """Be ready for questions."""
        if self.process is not None:
            self.process.resume()


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


@dataclass(frozen=True, slots=True)
class SubprocessSystem(SystemUnderTest):
    """A program of ours around a library, which takes a line of JSON and answers with a line of JSON.

    It answers one question at a time. It stamps the pieces of text itself, by the same monotonic clock, so that no
    transport is measured.
    """

    identity: Identity
    process: Process
    timeout: float = TIMEOUT

    def ask(self, questions: Sequence[Question], stagger: float = 0.0) -> list[Answer]:
        return [self._ask(question) for question in questions]

    def _ask(self, question: Question) -> Answer:
        reply = exchange(self.process, asdict(question), self.timeout)
        if not reply["times"]:
            raise self.process.make_error("gave an answer without text")
        return Answer(**{**reply, "times": tuple(reply["times"])})


def exchange(process: Process, request: Json, timeout: float) -> Json:
    """The program's answer. Raises MeasurementError where it ends or takes longer than `timeout` seconds."""
    stdin, stdout = process.popen.stdin, process.popen.stdout
    assert stdin is not None
    assert stdout is not None
    timer = threading.Timer(timeout, process.popen.kill)
    timer.start()
    try:
        stdin.write(json.dumps(request) + "\n")
        stdin.flush()
        line = stdout.readline()
    except BrokenPipeError:
        line = ""
    finally:
        timer.cancel()
    if not line:
        raise process.make_error(f"ended, or did not answer within {timeout:g} s")
    return json.loads(line)
