"""A request: a prompt or a conversation, how tokens are sampled, and where generation ends; the bounds of its numbers.

The bounds are those that a clock, and float32 and int64 tensors, can represent. Knows nothing of models, HTTP or pages.
"""

import secrets
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from demo.errors import BadRequest

Role: TypeAlias = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Bounds:
    """From `low` to `high`, both included."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"between {self.low} and {self.high}"

    def require(self, name: str, number: float | None) -> None:
        """Raise BadRequest where a number is given and out of bounds, as NaN always is."""
        if number is not None and not self.low <= number <= self.high:
            raise BadRequest(f"{name} is {number}: it must be {self}.")


MAX_STOP_SEQUENCES: Final = 4
DRAWN_BITS: Final = 53  # of a seed that is drawn: JavaScript holds larger integers inexactly

COUNT: Final = Bounds(1, 2**31 - 1)
TOP_N: Final = Bounds(0, 5)
SEED: Final = Bounds(0, 2**64 - 1)
SCALE: Final = Bounds(1e-30, 1e30)  # a logit multiplied or divided by it is still a finite float32
PENALTY: Final = Bounds(-2, 2)
PACE: Final = Bounds(0.01, 1_000_000)  # tokens/s: a stream of less than one token in 100 s would only occupy a slot


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation; `reasoning` is an assistant's before its content, which a template may write."""

    role: Role
    content: str
    reasoning: str | None = None


@dataclass(frozen=True, slots=True)
class TokenIds:
    """A prompt that its sender has tokenized."""

    ids: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.ids)


Prompt: TypeAlias = str | tuple[Message, ...] | TokenIds


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is sampled from the logits; names and limits as in text-generation-inference.

    `presence_penalty` is OpenAI's: like `frequency_penalty`, but once for a token however often it was generated.
    `min_p` is vLLM's: it removes tokens less likely than this share of the likeliest one's probability.
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
    min_p: float | None = None

    def __post_init__(self) -> None:
        SCALE.require("temperature", self.temperature)
        SCALE.require("repetition_penalty", self.repetition_penalty)
        COUNT.require("top_k", self.top_k)
        for name, share in (("top_p", self.top_p), ("typical_p", self.typical_p)):
            _require(share is None or 0 < share < 1, name, share, "between 0 and 1, both excluded")
        _require(self.min_p is None or 0 < self.min_p <= 1, "min_p", self.min_p, "above 0, and at most 1")
        PENALTY.require("frequency_penalty", self.frequency_penalty)
        PENALTY.require("presence_penalty", self.presence_penalty)
        SEED.require("seed", self.seed)

    @property
    def is_random(self) -> bool:
        """Whether tokens are drawn at random, not taken greedily (TGI's `NextTokenChooser`)."""
        truncated = any(each is not None for each in (self.top_k, self.top_p, self.typical_p, self.min_p))
        return self.do_sample or self.temperature != 1.0 or truncated


@dataclass(frozen=True, slots=True)
class Request:
    """One generation that a client asks for. `prompt` is raw text, the messages of a conversation, or token ids.

    `keeps_stop` leaves the stop string that ends the answer in its text. `ends_loops` ends an answer that repeats
    itself (`repetition`).
    `max_new_tokens` None asks for as many as fit; `truncate` keeps that many tokens of the prompt's end;
    `prompt_logprobs` asks for a PromptRead event; token k is written no sooner than (k - 1) / `pace` after the first.
    `template_options` are variables for the chat template, as the text of a JSON object.
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
    keeps_stop: bool = False
    ends_loops: bool = False
    template_options: str = "{}"

    def __post_init__(self) -> None:
        if not self.prompt:
            raise BadRequest("The prompt is empty: type something first.")
        if any(map(has_lone_surrogate, list_texts(self.prompt))):
            raise BadRequest("The prompt holds half a character (a lone surrogate): send whole Unicode characters.")
        COUNT.require("max_new_tokens", self.max_new_tokens)
        COUNT.require("truncate", self.truncate)
        _require(len(self.stop) <= MAX_STOP_SEQUENCES, "stop", len(self.stop), f"at most {MAX_STOP_SEQUENCES} strings")
        _require(all(self.stop), "stop", self.stop, "strings that are not empty")
        TOP_N.require("top_n_tokens", self.top_n_tokens)
        PACE.require("pace", self.pace)


def list_texts(prompt: Prompt) -> list[str]:
    """The texts of a prompt: its own or those of its messages; token ids have none."""
    if isinstance(prompt, str):
        return [prompt]
    if isinstance(prompt, TokenIds):
        return []
    return [text for message in prompt for text in (message.reasoning, message.content) if text is not None]


def find_question(prompt: Prompt) -> str:
    """The text of the prompt, or of its last message; empty for token ids."""
    return next(reversed(list_texts(prompt)), "")


def find_begun(prompt: Prompt) -> str:
    """The answer that a conversation ends with, to be continued; empty where there is none."""
    return prompt[-1].content if isinstance(prompt, tuple) and prompt[-1].role == "assistant" else ""


def choose_seed(request: Request, bits: int = DRAWN_BITS) -> int:
    """The seed of `request`, else a new one of at most `bits` bits, so that the answer can be repeated."""
    seed = request.sampling.seed
    return secrets.randbits(min(bits, DRAWN_BITS)) if seed is None else seed


def has_lone_surrogate(text: str) -> bool:
    """Whether `text` holds half a character, which JSON and Python let into a text and no UTF-8 can encode."""
    if text.isascii():
        return False
    try:
        text.encode()  # ten times as fast as a search for one
    except UnicodeEncodeError:
        return True
    return False


def _require(holds: bool, name: str, value: object, allowed: str) -> None:
    if not holds:
        raise BadRequest(f"{name} is {value}: it must be {allowed}.")
