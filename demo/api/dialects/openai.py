"""The common part of OpenAI's two dialects: parameters, choices, usage, finish reasons, errors. Pure."""

import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar, Final

from pydantic import BaseModel, ConfigDict, Field

from demo.api.dialects import sse
from demo.api.dialects.answer import Answer
from demo.api.dialects.errors import Json, write_openai
from demo.api.dialects.native_request import CACHE_PROMPT, IGNORE_EOS, MAX_TOKENS_PER_SECOND, SAMPLING
from demo.api.dialects.number_fields import Count, Penalty, Rate, Scale, ScaleOrZero, Seed
from demo.api.dialects.timings import MILLISECONDS
from demo.api.dialects.unavailable import Unavailable
from demo.bounds import MAX_STOP_SEQUENCES, SCALE
from demo.errors import DemoError
from demo.events import ModelCard, PromptProgress, Request, Sampling, Token

MAX_CHOICES: Final = 4
FINISH_REASONS: Final = {"eos_token": "stop", "stop_sequence": "stop", "length": "length"}

StopString = Annotated[str, Field(min_length=1)]


class StreamOptions(BaseModel):
    """Options of a stream."""

    model_config = ConfigDict(strict=True, extra="ignore")

    include_usage: bool | None = Field(default=False, description="One more chunk at the end, with the token counts.")


class OpenAIRequest(BaseModel):
    """The parameters of both routes, and vLLM's `ignore_eos`, and llama.cpp's `cache_prompt` and `return_progress`.

    Unknown fields are ignored; known ones that are not available are refused.
    """

    model_config = ConfigDict(strict=True, extra="ignore")

    model: str | None = Field(default=None, description="Ignored: this server has one model.")
    max_tokens: Count | None = Field(default=None, description="The most tokens to generate.")
    temperature: ScaleOrZero | None = Field(
        default=None, description=f"0: greedy decoding; otherwise at least {SCALE.low}."
    )
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    n: Annotated[int, Field(ge=1, le=MAX_CHOICES)] | None = Field(
        default=None, description="How many answers to generate."
    )
    stop: StopString | Annotated[list[StopString], Field(max_length=MAX_STOP_SEQUENCES)] | None = None
    seed: Seed | None = Field(
        default=None, description="Same request and seed: same tokens. Answer number i of n is sampled with seed + i."
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
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    logit_bias: Annotated[Any, Unavailable(({},))] = None

    @property
    def include_usage(self) -> bool:
        return bool(self.stream_options and self.stream_options.include_usage)

    def sampling(self) -> Sampling:
        """How tokens are sampled: greedily if the temperature is 0."""
        sampling = self.model_dump(include=SAMPLING, exclude_none=True)
        if self.temperature == 0:
            return Sampling(**{name: value for name, value in sampling.items() if name not in ("temperature", "top_p")})
        return Sampling(**sampling | {"do_sample": True, "top_p": None if self.top_p == 1 else self.top_p})

    def stops(self) -> tuple[str, ...]:
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    def repeat(self, request: Request) -> list[Request]:
        """`request` with the parameters of both routes, n times, each with a seed of its own."""
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
    """Chunks and replies around choices. A dialect names them, and writes a choice's text and logprobs."""

    id_prefix: ClassVar[str]
    stream_object: ClassVar[str]
    whole_object: ClassVar[str]

    card: ModelCard
    request: OpenAIRequest
    with_logprobs: bool
    ending: bytes = sse.DONE
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    created: int = field(default_factory=lambda: int(time.time()))

    @abstractmethod
    def write_text(self, text: str, is_delta: bool) -> Json:
        """The field of a choice that holds its text."""

    @abstractmethod
    def write_logprobs(self, tokens: Sequence[Token], offset: int) -> Json:
        """The logprobs of a choice whose first token begins at character `offset` of the answer."""

    def chunk(self, index: int, answer: Answer, token: Token, is_last: bool) -> Json:
        text = self.write_text(token.text, is_delta=True)
        offset = answer.characters - len(token.text)
        choice = self._write_choice(index, text, [token], offset, answer if is_last else None)
        chunk = self._wrap(self.stream_object, [choice])
        if self.request.include_usage:
            chunk["usage"] = None  # OpenAI's sign that usage follows
        return chunk

    def progress(self, answer: Answer, progress: PromptProgress) -> Json | None:
        """llama.cpp's chunk: the tokens processed include the cached ones."""
        if not self.request.return_progress:
            return None
        elapsed = progress.time - answer.started.time if answer.started else 0.0
        counts = {
            "total": progress.total,
            "cache": answer.cached_tokens,
            "processed": progress.read,
            "time_ms": round(elapsed * MILLISECONDS),
        }
        return {**self._wrap(self.stream_object, []), "prompt_progress": counts}

    def closing(self, answers: Sequence[Answer]) -> Sequence[Json]:
        if not self.request.include_usage:
            return ()
        return [{**self._wrap(self.stream_object, []), "usage": count_usage(answers, self.request.n or 1)}]

    def whole(self, answers: Sequence[Answer]) -> Json:
        choices = [
            self._write_choice(index, self.write_text(answer.text, is_delta=False), answer.tokens, 0, answer)
            for index, answer in enumerate(answers)
        ]
        return {**self._wrap(self.whole_object, choices), "usage": count_usage(answers, self.request.n or 1)}

    def headers(self, answers: Sequence[Answer]) -> dict[str, str]:
        return answers[0].headers(self.card.device)

    def error(self, error: DemoError) -> Json:
        return write_openai(error)

    def _write_choice(self, index: int, text: Json, tokens: Sequence[Token], offset: int, ended: Answer | None) -> Json:
        return {
            "index": index,
            **text,
            "logprobs": self.write_logprobs(tokens, offset) if self.with_logprobs else None,
            "finish_reason": FINISH_REASONS[ended.finish_reason] if ended else None,
        }

    def _wrap(self, object: str, choices: Sequence[Json]) -> Json:
        return {
            "id": f"{self.id_prefix}-{self.id}",
            "object": object,
            "created": self.created,
            "model": self.card.model_id,
            # What the tokens depend on beside the request.
            "system_fingerprint": "-".join(filter(None, (self.card.revision, self.card.device, self.card.dtype))),
            "choices": list(choices),
        }


def count_usage(answers: Sequence[Answer], n: int) -> Json:
    """The tokens of all answers, of which each `n` in a row answer the same prompt.

    That prompt counts once; as cached counts what all n found cached, since the rest was computed for this reply.
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
