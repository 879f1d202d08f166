"""The events of a run, as its engine logs them.

Every `time` is `time.perf_counter()` of this process, in seconds.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from demo.errors import DemoError

FinishReason: TypeAlias = Literal["length", "eos_token", "stop_sequence", "repetition", "cancelled"]
# How an answer begins: without reasoning, with tags if any, inside a tag that the prompt opened, inside reasoning that
# is continued, in harmony, inside a channel of reasoning of harmony's, or as an engine elsewhere tells of each token.
ReasoningStart: TypeAlias = Literal["none", "tags", "open", "inside", "harmony", "analysis", "told"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A token by itself, and its natural log-probability, after penalties and warpers.

    `text` holds special tokens too. `encoded` are its bytes where they are not `text` in UTF-8: of a part of a
    character, whose text is a replacement character. `id` is None where an engine elsewhere does not tell it.
    """

    id: int | None
    text: str
    logprob: float | None
    special: bool
    encoded: bytes | None = None

    def encode(self) -> bytes:
        return self.text.encode() if self.encoded is None else self.encoded


@dataclass(frozen=True, slots=True)
class Queued:
    """The request waits: `ahead` prompts are read before its own, and its first token is expected in `seconds`.

    Written only where it waits for long, at most once a second unless `ahead` changes. `seconds` is None if unknown.
    """

    time: float
    ahead: int
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Sent:
    """The request was sent to an engine elsewhere. Until the first token its queue and prefill can't be told apart."""

    time: float


@dataclass(frozen=True, slots=True)
class Started:
    """The request left the queue: its prefill begins, after the first `cached_tokens`, which are reused.

    `prompt` holds the ids that the model reads; it is empty where the engine does not know them.
    After a Sent it is written with the first token instead, and the counts are those known by then, None where an
    engine elsewhere does not tell them; `seed` is None where the engine draws one of its own.
    """

    time: float
    input_tokens: int | None
    seed: int | None
    cached_tokens: int | None = 0
    prompt: tuple[int, ...] = ()
    reasoning: ReasoningStart = "none"


@dataclass(frozen=True, slots=True)
class PromptProgress:
    """`read` of the prompt's `total` tokens have been read. Written after each chunk of a chunked prefill."""

    time: float
    read: int
    total: int


@dataclass(frozen=True, slots=True)
class PromptToken:
    """A token of the prompt; the first has no `logprob`. `encoded` is as a Candidate's."""

    id: int
    text: str
    logprob: float | None
    encoded: bytes | None = None


@dataclass(frozen=True, slots=True)
class PromptRead:
    """The log-probabilities of the prompt's tokens. Written only where the request asks for it."""

    time: float
    tokens: tuple[PromptToken, ...]


@dataclass(frozen=True, slots=True)
class Token:
    """One generated token, stamped when it was sampled.

    `index` counts from 1. `text` is what became readable with it: empty where a character is still incomplete, the
    token is special, or a stop string has begun before it. `top` holds the likeliest alternatives, if the request asks
    for them. `encoded` are its bytes of the answer's text where they are not `text` in UTF-8: those of all tokens,
    joined, are the text's. `own` is the token by itself where that is not `text`. A token of an engine elsewhere is
    stamped when it arrives; `id` and `logprob` are None where that engine does not tell them, and the first `reasoned`
    characters of `text` are what it tells to be reasoning.
    """

    time: float
    index: int
    id: int | None
    text: str
    logprob: float | None
    special: bool
    top: tuple[Candidate, ...] = ()
    encoded: bytes | None = None
    own: Candidate | None = None
    reasoned: int = 0

    def encode(self) -> bytes:
        """Its bytes of the answer's text."""
        return self.text.encode() if self.encoded is None else self.encoded

    @property
    def candidate(self) -> Candidate:
        """The token by itself, as the likeliest are listed."""
        return self.own or Candidate(self.id, self.text, self.logprob, self.special)


@dataclass(frozen=True, slots=True)
class EngineReport:
    """What an engine elsewhere says of a run at its end: the prompt's counts, and its own `figures` by its names.

    Written before the last token. A count that it does not tell is None. The engine's clock is not this process's.
    """

    time: float
    input_tokens: int | None
    cached_tokens: int | None
    figures: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Done:
    """The run is complete, or was cancelled. The last event of its log. `stop` is the stop string that ended it."""

    time: float
    finish_reason: FinishReason
    generated_tokens: int
    stop: str | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The run failed. The last event of its log."""

    time: float
    error: DemoError


Event: TypeAlias = Queued | Sent | Started | PromptProgress | PromptRead | Token | EngineReport | Done | Failed


def is_elsewhere(events: Iterable[Event]) -> bool:
    """Whether these are of a run of an engine elsewhere, whose queue and prefill can't be told apart."""
    return any(isinstance(event, Sent) for event in events)
