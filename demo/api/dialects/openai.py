"""What OpenAI's two dialects share: common parameters, usage, finish reasons, errors. Pure parse and encode."""

import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar, Final

from pydantic import BaseModel, ConfigDict, Field

from demo.api.dialects import sse
from demo.api.dialects.answer import MILLISECONDS, Answer, write_headers
from demo.api.dialects.errors import write_openai
from demo.api.dialects.native import CACHE_PROMPT
from demo.api.dialects.number_fields import Count, Penalty, Rate, Scale, ScaleOrZero, Seed
from demo.api.openapi.replies import ChatChunk, CompletionChunk, OpenAIError, OpenAIReason, Usage
from demo.bounds import MAX_STOP_SEQUENCES, SCALE
from demo.errors import BadRequest, DemoError
from demo.events import ModelCard, PromptProgress, Request, Sampling

MAX_CHOICES: Final = 4
FINISH_REASONS: Final[dict[str, OpenAIReason]] = {"eos_token": "stop", "stop_sequence": "stop", "length": "length"}

StopString = Annotated[str, Field(min_length=1)]


class StreamOptions(BaseModel):
    """What a stream tells beside its tokens."""

    model_config = ConfigDict(strict=True, extra="ignore")

    include_usage: bool | None = Field(default=False, description="One more chunk at the end, with the token counts.")


class OpenAIRequest(BaseModel):
    """The parameters of both routes, and vLLM's `ignore_eos`, and llama.cpp's `cache_prompt` and `return_progress`.

    Unknown fields are ignored; known ones that can't be honoured are refused.
    """

    model_config = ConfigDict(strict=True, extra="ignore")

    unavailable: ClassVar[Mapping[str, Sequence[Any]]] = {"logit_bias": ({},)}

    model: str | None = Field(default=None, description="Answered by the one model of this server, whatever the name.")
    max_tokens: Count | None = Field(default=None, description="The most tokens to generate.")
    temperature: ScaleOrZero | None = Field(
        default=None, description=f"0: always the likeliest token; otherwise at least {SCALE.low}."
    )
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    n: Annotated[int, Field(ge=1, le=MAX_CHOICES)] | None = Field(
        default=None, description="How many answers to generate."
    )
    stop: StopString | Annotated[list[StopString], Field(max_length=MAX_STOP_SEQUENCES)] | None = None
    seed: Seed | None = Field(
        default=None, description="Same request and seed: same tokens. Answer number i of n is drawn with seed + i."
    )
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    repetition_penalty: Scale | None = Field(default=None, description="TGI's; 1 means none.")
    ignore_eos: bool | None = Field(default=False, description="Go on past the end token, to measure a given length.")
    max_tokens_per_second: Rate | None = Field(
        default=None, description="Slow the generation down to this many tokens a second."
    )
    return_progress: bool | None = Field(
        default=False,
        description="llama.cpp's: in a stream, tell in chunks without a choice how far a long prompt has been read.",
    )
    cache_prompt: bool | None = Field(default=True, description=CACHE_PROMPT)
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    logit_bias: Any = Field(default=None, description="Not available here: refused unless null or empty.")

    @property
    def include_usage(self) -> bool:
        return bool(self.stream_options and self.stream_options.include_usage)

    def refuse_unavailable(self) -> None:
        """Raise BadRequest for what this server can't do, rather than ignore it."""
        for name, harmless in self.unavailable.items():
            value = getattr(self, name)
            if value is not None and value not in harmless:
                raise BadRequest(f"`{name}` is not available on this server: leave it out.")

    def sampling(self) -> Sampling:
        """How the tokens are chosen: drawn, unless the temperature is 0."""
        greedy = self.temperature == 0
        return Sampling(
            do_sample=not greedy,
            temperature=1.0 if greedy or self.temperature is None else self.temperature,
            top_p=None if greedy or self.top_p == 1 else self.top_p,
            repetition_penalty=1.0 if self.repetition_penalty is None else self.repetition_penalty,
            frequency_penalty=self.frequency_penalty or 0.0,
            presence_penalty=self.presence_penalty or 0.0,
            seed=self.seed,
        )

    def stops(self) -> tuple[str, ...]:
        """The stop strings."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    def repeat(self, request: Request) -> list[Request]:
        """`request` with what both routes take, n times, each with a seed of its own."""
        request = replace(
            request,
            ignore_eos=bool(self.ignore_eos),
            pace=self.max_tokens_per_second,
            cache_prompt=self.cache_prompt is not False,
        )
        seed = request.sampling.seed
        seeds = [None if seed is None else (seed + index) % 2**64 for index in range(self.n or 1)]
        return [replace(request, sampling=replace(request.sampling, seed=each)) for each in seeds]


@dataclass(frozen=True, slots=True)
class OpenAIDialect(ABC):
    """What chunks and replies of both dialects hold beside their choices. `kind` is the prefix of their ids."""

    kind: ClassVar[str]

    card: ModelCard
    include_usage: bool
    n: int
    with_logprobs: bool
    with_progress: bool
    ending: bytes = sse.DONE
    id_suffix: str = field(default_factory=lambda: uuid.uuid4().hex)
    created: int = field(default_factory=lambda: int(time.time()))

    @property
    def id(self) -> str:
        return f"{self.kind}-{self.id_suffix}"

    @abstractmethod
    def open_chunk(self) -> ChatChunk | CompletionChunk:
        """A chunk without a choice."""

    def progress(self, answer: Answer, progress: PromptProgress) -> ChatChunk | CompletionChunk | None:
        """llama.cpp's chunk: what was processed includes what was cached."""
        if not self.with_progress:
            return None
        took = progress.time - answer.started.time if answer.started else 0.0
        chunk = self.open_chunk()
        chunk["prompt_progress"] = {
            "total": progress.total,
            "cache": answer.cached_tokens,
            "processed": progress.read,
            "time_ms": round(took * MILLISECONDS),
        }
        return chunk

    def close(self, answers: Sequence[Answer]) -> Sequence[ChatChunk | CompletionChunk]:
        if not self.include_usage:
            return ()
        chunk = self.open_chunk()
        chunk["usage"] = count_usage(answers, self.n)
        return [chunk]

    def headers(self, answers: Sequence[Answer]) -> dict[str, str]:
        return write_headers(answers[0], self.card.device)

    def error(self, error: DemoError) -> OpenAIError:
        return write_openai(error)


def fingerprint(card: ModelCard) -> str:
    """What the tokens depend on beside the request."""
    return "-".join(filter(None, (card.revision, card.device, card.dtype)))


def read_reason(answer: Answer) -> OpenAIReason:
    """OpenAI's name for the end."""
    return FINISH_REASONS[answer.finish_reason]


def count_usage(answers: Sequence[Answer], n: int) -> Usage:
    """The tokens of all answers, of which `n` in a row are to the same prompt.

    That counts once, and as cached no more of it than each of the n found cached: the rest was computed for this reply.
    """
    prompt = sum(answer.input_tokens for answer in answers[::n])
    completion = sum(len(answer.tokens) for answer in answers)
    groups = [answers[at : at + n] for at in range(0, len(answers), n)]
    cached = sum(min(answer.cached_tokens for answer in group) for group in groups)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached},
    }
