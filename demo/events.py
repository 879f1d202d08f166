"""The events of a run, as its engine logs them.

Every `time` is `time.perf_counter()` of this process, in seconds.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from demo.errors import DemoError

FinishReason: TypeAlias = Literal["length", "eos_token", "stop_sequence", "cancelled"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A token and its natural log-probability, after penalties and warpers. `text` holds special tokens too.

    `id` is None where an engine elsewhere does not tell it.
    """

    id: int | None
    text: str
    logprob: float
    special: bool


@dataclass(frozen=True, slots=True)
class Sent:
    """The request was sent to an engine elsewhere. Until the first token its queue and prefill can't be told apart."""

    time: float


@dataclass(frozen=True, slots=True)
class Started:
    """The request left the queue: its prefill begins, after the first `cached_tokens`, which are reused.

    After a Sent it is written with the first token instead, and the counts are those known by then; `seed` is None
    where the engine draws one of its own.
    """

    time: float
    input_tokens: int
    seed: int | None
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class PromptProgress:
    """`read` of the prompt's `total` tokens have been read. Written after each chunk of a chunked prefill."""

    time: float
    read: int
    total: int


@dataclass(frozen=True, slots=True)
class PromptToken:
    """A token of the prompt; the first has no `logprob`."""

    id: int
    text: str
    logprob: float | None


@dataclass(frozen=True, slots=True)
class PromptRead:
    """The log-probabilities of the prompt's tokens. Written only where the request asks for it."""

    time: float
    tokens: tuple[PromptToken, ...]


@dataclass(frozen=True, slots=True)
class Token:
    """One generated token, stamped when it was sampled.

    `index` counts from 1. `text` is what became readable with it: empty where a character is still incomplete or the
    token is special. `top` holds the likeliest alternatives, if the request asks for them. A token of an engine
    elsewhere is stamped when it arrives; `id` and `logprob` are None where that engine does not tell them.
    """

    time: float
    index: int
    id: int | None
    text: str
    logprob: float | None
    special: bool
    top: tuple[Candidate, ...] = ()


@dataclass(frozen=True, slots=True)
class EngineReport:
    """What an engine elsewhere says of a run at its end: the prompt's counts, and its own `figures` by its names.

    Written before the last token. The engine's clock is not this process's.
    """

    time: float
    input_tokens: int
    cached_tokens: int
    figures: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Done:
    """The run is complete, or was cancelled. The last event of its log."""

    time: float
    finish_reason: FinishReason
    generated_tokens: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The run failed. The last event of its log."""

    time: float
    error: DemoError


Event: TypeAlias = Sent | Started | PromptProgress | PromptRead | Token | EngineReport | Done | Failed
