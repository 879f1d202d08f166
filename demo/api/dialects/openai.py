"""The common part of OpenAI's two dialects: parameters, choices, usage, finish reasons, errors. Pure."""

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field

from demo.api.dialects import sse
from demo.api.dialects.answer import Answer, combine_counts
from demo.api.dialects.dialect import Dialect
from demo.api.dialects.errors import write_openai
from demo.api.dialects.ignored import Body
from demo.api.dialects.native import describe_queued
from demo.api.dialects.native_request import CACHE_PROMPT, IGNORE_EOS, MAX_TOKENS_PER_SECOND, SAMPLING
from demo.api.dialects.number_fields import WHOLE, Penalty, Rate, Scale, ScaleOrZero
from demo.api.dialects.openai_numbers import CountOrAll, MinP, SeedOrRandom, TopK, TopP, read_sampling
from demo.api.dialects.timings import MILLISECONDS
from demo.api.dialects.unavailable import Unavailable
from demo.api.openapi.replies import ChatChunk, CompletionChunk, OpenAIError, OpenAIReason
from demo.api.openapi.usage import CompletionTokensDetails, ReasoningUsage, Usage, UsageField
from demo.engine import ModelCard
from demo.errors import BadRequest, DemoError
from demo.events import PromptProgress, Queued
from demo.request import MAX_STOP_SEQUENCES, SCALE, Request, Sampling

MAX_CHOICES: Final = 128  # OpenAI's; how many of them find a place is the engine's to say
MAX_TOKENS: Final = "The most tokens to generate; -1 or null for as many as fit."
FINISH_REASONS: Final[dict[str, OpenAIReason]] = {"eos_token": "stop", "stop_sequence": "stop", "length": "length"}


class StreamOptions(Body):
    """Options of a stream."""

    include_usage: bool | None = Field(default=False, description="One more chunk at the end, with the token counts.")
    continuous_usage_stats: bool | None = Field(
        default=False, description="vLLM's: each chunk has the counts of its choice so far."
    )


class OpenAIRequest(Body):
    """The parameters of both routes, and what vLLM and llama.cpp add to them.

    Unknown fields are ignored, and named in the header `x-ignored-parameters`; known ones that are not available are
    refused.
    """

    model: str | None = Field(default=None, description="Ignored: this server has one model.")
    max_tokens: CountOrAll | None = Field(default=None, description=MAX_TOKENS)
    temperature: ScaleOrZero | None = Field(
        default=None, description=f"0: greedy decoding; otherwise at least {SCALE.low}."
    )
    top_p: TopP | None = Field(
        default=None, description="Sample from the likeliest tokens that reach this probability; 0: greedy decoding."
    )
    top_k: TopK | None = Field(
        default=None, description="vLLM's: sample from this many likeliest tokens; 0 or -1: from all."
    )
    min_p: MinP | None = Field(
        default=None,
        description="vLLM's: sample from tokens at least so likely, as a share of the likeliest one; 0: all.",
    )
    n: Annotated[int, Field(ge=1, le=MAX_CHOICES), WHOLE] | None = Field(
        default=None, description="How many answers to generate. Each takes one of the server's places."
    )
    stop: str | Annotated[list[str], Field(max_length=MAX_STOP_SEQUENCES, fail_fast=True)] | None = Field(
        default=None, description="End before the first of these; an empty one is left out."
    )
    include_stop_str_in_output: bool | None = Field(
        default=False, description="vLLM's: leave the stop string that ends the answer in its text."
    )
    seed: SeedOrRandom | None = Field(
        default=None,
        description="Same request and seed: same tokens. Answer number i of n is sampled with seed + i. -1: at random.",
    )
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    repetition_penalty: Scale | None = Field(default=None, description="TGI's; 1 means none.")
    ignore_eos: bool | None = Field(default=False, description=IGNORE_EOS)
    max_tokens_per_second: Rate | None = Field(default=None, description=MAX_TOKENS_PER_SECOND)
    return_progress: bool | None = Field(
        default=False,
        description="llama.cpp's: in a stream, report how much of a long prompt has been read, in chunks without a "
        "choice.",
    )
    cache_prompt: bool | None = Field(default=True, description=CACHE_PROMPT)
    return_token_ids: bool | None = Field(
        default=False, description="vLLM's: return the ids of the prompt, and of the tokens beside their text."
    )
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    logit_bias: Annotated[Any, Unavailable(({},))] = None

    @property
    def include_usage(self) -> bool:
        return bool(self.stream_options and self.stream_options.include_usage)

    def sampling(self) -> Sampling:
        """How tokens are sampled: greedily if temperature or `top_p` is 0."""
        return read_sampling(self.model_dump(include=SAMPLING & type(self).model_fields.keys(), exclude_none=True))

    def stops(self) -> tuple[str, ...]:
        stops = (self.stop,) if isinstance(self.stop, str) else self.stop or ()
        return tuple(filter(None, stops))

    def repeat(self, request: Request) -> list[Request]:
        """`request` with the parameters of both routes, n times, each with a seed of its own."""
        request = replace(
            request,
            ignore_eos=bool(self.ignore_eos),
            pace=self.max_tokens_per_second,
            cache_prompt=self.cache_prompt is not False,
            keeps_stop=bool(self.include_stop_str_in_output),
        )
        seed = request.sampling.seed
        seeds = [None if seed is None else (seed + index) % 2**64 for index in range(self.n or 1)]
        return [replace(request, sampling=replace(request.sampling, seed=each)) for each in seeds]


@dataclass(frozen=True, slots=True)
class OpenAIDialect(Dialect):
    """The common fields of chunks and replies. Each dialect writes its own around its choices."""

    id_prefix: ClassVar[str]
    chunk_object: ClassVar[str]
    ending: ClassVar[bytes] = sse.DONE

    card: ModelCard
    request: OpenAIRequest
    with_logprobs: bool
    id_suffix: str = field(default_factory=lambda: uuid.uuid4().hex)
    created: int = field(default_factory=lambda: int(time.time()))

    def __post_init__(self) -> None:
        if self.with_logprobs and not self.card.has_logprobs:
            raise BadRequest("`logprobs` are not told by the engine behind this server: leave it out.")

    def write_envelope(self, object: str) -> Any:
        """A chunk or reply without a choice, to which a dialect adds its own fields."""
        return {
            "id": f"{self.id_prefix}-{self.id_suffix}",
            "object": object,
            "created": self.created,
            "model": self.card.model_id,
            # What the tokens depend on beside the request.
            "system_fingerprint": "-".join(filter(None, (self.card.revision, self.card.device, self.card.dtype))),
            "choices": [],
        }

    def progress(self, answer: Answer, progress: PromptProgress | Queued) -> ChatChunk | CompletionChunk | str | None:
        """llama.cpp's chunk: the tokens processed include the cached ones. A comment while the request waits."""
        if not self.request.return_progress:
            return None
        if isinstance(progress, Queued):
            return describe_queued(progress)
        elapsed = progress.time - answer.started.time if answer.started else 0.0
        chunk: ChatChunk | CompletionChunk = self.write_envelope(self.chunk_object)
        chunk["prompt_progress"] = {
            "total": progress.total,
            "cache": answer.cached_tokens,
            "processed": progress.read,
            "time_ms": round(elapsed * MILLISECONDS),
        }
        return chunk

    def write_usage_so_far(self, answer: Answer) -> UsageField:
        """The field `usage` of a chunk: null is OpenAI's sign that usage follows."""
        options = self.request.stream_options
        if options and options.continuous_usage_stats:
            return {"usage": self.count_usage([answer])}
        return {"usage": None} if self.request.include_usage else {}

    def closing(self, answers: Sequence[Answer]) -> Sequence[ChatChunk | CompletionChunk]:
        if not self.request.include_usage:
            return ()
        chunk: ChatChunk | CompletionChunk = self.write_envelope(self.chunk_object)
        chunk["usage"] = self.count_usage(answers)
        return [chunk]

    def headers(self, answers: Sequence[Answer]) -> dict[str, str]:
        return answers[0].headers(self.card.device)

    def error(self, error: DemoError) -> OpenAIError:
        return write_openai(error)

    def count_usage(self, answers: Sequence[Answer]) -> Usage:
        """The tokens of all answers. Each n of them in a row answer the same prompt, which counts once.

        As cached counts what all n found cached, since the rest was computed for this reply.
        """
        n = self.request.n or 1
        prompt = combine_counts(sum, (answer.input_tokens for answer in answers[::n]))
        completion = sum(len(answer.tokens) for answer in answers)
        details: CompletionTokensDetails = {"reasoning_tokens": sum(answer.reasoning_tokens for answer in answers)}
        told: ReasoningUsage = {"completion_tokens_details": details} if answers[0].reasons else {}
        groups = [answers[at : at + n] for at in range(0, len(answers), n)]
        cached = [combine_counts(min, (answer.cached_tokens for answer in group)) for group in groups]
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": combine_counts(sum, [prompt, completion]),
            "prompt_tokens_details": {"cached_tokens": combine_counts(sum, cached)},
            **told,
        }
