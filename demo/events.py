"""A request, the events of its run, and the protocol of the engine that writes them.

Knows nothing of models, HTTP or pages. Every `time` is `time.perf_counter()` of this process, in seconds.
"""

from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from demo.bounds import COUNT, MAX_STOP_SEQUENCES, PACE, PENALTY, SCALE, SEED, TOP_N
from demo.errors import BadRequest, DemoError
from demo.surrogates import has_lone_surrogate

Role: TypeAlias = Literal["system", "user", "assistant"]
FinishReason: TypeAlias = Literal["length", "eos_token", "stop_sequence", "cancelled"]
PlainPrompts: TypeAlias = Literal["chat", "raw"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str


Prompt: TypeAlias = str | tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is sampled from the logits; names and limits as in text-generation-inference.

    `presence_penalty` is OpenAI's: like `frequency_penalty`, but once for a token however often it was generated.
    Raises BadRequest where a value is out of its range.
    """

    do_sample: bool = False
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    typical_p: float | None = None
    repetition_penalty: float = 1.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    seed: int | None = None

    def __post_init__(self) -> None:
        SCALE.require("temperature", self.temperature)
        SCALE.require("repetition_penalty", self.repetition_penalty)
        COUNT.require("top_k", self.top_k)
        for name, share in (("top_p", self.top_p), ("typical_p", self.typical_p)):
            _require(share is None or 0 < share < 1, name, share, "between 0 and 1, both excluded")
        PENALTY.require("frequency_penalty", self.frequency_penalty)
        PENALTY.require("presence_penalty", self.presence_penalty)
        SEED.require("seed", self.seed)

    @property
    def is_random(self) -> bool:
        """Whether tokens are drawn at random, not taken greedily (TGI's `NextTokenChooser`)."""
        warped = self.temperature != 1.0 or self.top_k is not None
        return self.do_sample or warped or self.top_p is not None or self.typical_p is not None


@dataclass(frozen=True, slots=True)
class Request:
    """One generation that a client asks for. `prompt` is raw text, or the messages of a conversation.

    `max_new_tokens` None asks for as many as fit; `truncate` keeps that many tokens of the prompt's end;
    `prompt_logprobs` asks for a PromptRead event; token k is written no sooner than (k - 1) / `pace` after the first.
    `client` is an opaque key: the engine is shared fairly between clients, and reuses the KV cache of a prompt for the
    same client only. `cache_prompt` False has the whole prompt computed.
    Raises BadRequest where a value is out of its range.
    """

    prompt: Prompt
    max_new_tokens: int | None = 256
    sampling: Sampling = field(default_factory=Sampling)
    stop: tuple[str, ...] = ()
    top_n_tokens: int = 0
    ignore_eos: bool = False
    truncate: int | None = None
    prompt_logprobs: bool = False
    pace: float | None = None  # tokens/s at most
    client: str | None = None
    cache_prompt: bool = True

    def __post_init__(self) -> None:
        if not self.prompt:
            raise BadRequest("The prompt is empty: type something first.")
        texts = [self.prompt] if isinstance(self.prompt, str) else [message.content for message in self.prompt]
        if any(map(has_lone_surrogate, texts)):
            raise BadRequest("The prompt holds half a character (a lone surrogate): send whole Unicode characters.")
        COUNT.require("max_new_tokens", self.max_new_tokens)
        COUNT.require("truncate", self.truncate)
        _require(len(self.stop) <= MAX_STOP_SEQUENCES, "stop", len(self.stop), f"at most {MAX_STOP_SEQUENCES} strings")
        _require(all(self.stop), "stop", self.stop, "strings that are not empty")
        TOP_N.require("top_n_tokens", self.top_n_tokens)
        PACE.require("pace", self.pace)


def _require(holds: bool, name: str, value: object, allowed: str) -> None:
    if not holds:
        raise BadRequest(f"{name} is {value}: it must be {allowed}.")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A token and its natural log-probability, after penalties and warpers. `text` holds special tokens too."""

    id: int
    text: str
    logprob: float
    special: bool


@dataclass(frozen=True, slots=True)
class Started:
    """The request left the queue: its prefill begins, after the first `cached_tokens`, which are reused."""

    time: float
    input_tokens: int
    seed: int
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
    token is special. `top` holds the likeliest alternatives, if the request asks for them.
    """

    time: float
    index: int
    id: int
    text: str
    logprob: float
    special: bool
    top: tuple[Candidate, ...] = ()


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


Event: TypeAlias = Started | PromptProgress | PromptRead | Token | Done | Failed


@dataclass(frozen=True, slots=True)
class Piece:
    """One token of a text: its characters `text[start:stop]`."""

    id: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class ModelCard:
    """The model, for the page's caption and the API's /info. `rate` is one stream's decode tokens/s, where known."""

    model_id: str
    revision: str | None
    source: Literal["embedded", "hub", "folder", "gguf", "recorded"]
    device: str
    dtype: str
    max_input_tokens: int
    max_total_tokens: int
    max_new_tokens: int | None = None  # of one answer; None: what max_total_tokens leaves
    rate: float | None = None
    plain_prompts: PlainPrompts = "raw"  # how the API gives it plain text: as a user's message, or unchanged
    control_tokens: frozenset[str] = frozenset()  # a text that holds one of them is not plain
    costs_quota: bool = False  # each run uses up GPU time of the visitor's account


@dataclass(frozen=True, slots=True)
class Loading:
    """The model loads: `step` in words, its progress from 0 to 1, and the `failure` after which it is loaded again."""

    step: str
    fraction: float | None = None
    failure: DemoError | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """The engine answers requests."""

    card: ModelCard


@dataclass(frozen=True, slots=True)
class Broken:
    """The engine answers no request; `error` says why. Loading is tried again at `retry_at`; None: never."""

    error: DemoError
    retry_at: float | None = None


Status: TypeAlias = Loading | Ready | Broken


@dataclass(frozen=True, slots=True)
class Load:
    """Requests that run and that wait, their limit, and the seconds without a step while there is work."""

    running: int
    waiting: int
    limit: int
    stalled: float


class Log(Protocol):
    """The log of one run. Events that are appended together are read together."""

    def __call__(self, *events: Event) -> None:
        """Append the events. Never blocks."""


class Ticket(Protocol):
    """An admitted request, which can be cancelled."""

    def cancel(self) -> None:
        """Stop the work: at most one more token is computed. No effect after the end."""


class Engine(Protocol):
    """Turns requests into events: the local model, recorded runs, or a script in a test."""

    @property
    def status(self) -> Status:
        """Whether the engine is loading, ready or broken, now."""

    @property
    def load(self) -> Load:
        """The load, now."""

    def admit(self) -> None:
        """Raise Overloaded or NotReady where `submit` would now raise it for every request."""

    def tokenize(self, prompt: Prompt) -> tuple[str, tuple[Piece, ...]]:
        """The text that the model would read, with the chat template applied to a conversation, and its tokens.

        Raises NotReady, or BadRequest where the template refuses the conversation.
        """

    def submit(self, request: Request, log: Log) -> Ticket:
        """Admit `request`, or raise BadRequest, Overloaded or NotReady before any event.

        The engine's threads then append to `log`: Started, Tokens, and always exactly one Done or Failed at the end.
        A Done that follows from the last Token is appended together with it.
        """

    def close(self) -> None:
        """End every run with a final event and stop. Returns when the engine's thread has ended."""
