"""The parameters of OpenAI's chat and completions, read as vLLM, TGI and llama-server read them too. Pure."""

from dataclasses import replace
from typing import Annotated, Any, Final, TypeAlias

from pydantic import AfterValidator, Field, ValidationInfo

from demo.api.dialects.body import Body, Unavailable
from demo.api.dialects.native import CACHE_PROMPT, IGNORE_EOS, MAX_TOKENS_PER_SECOND, SAMPLING
from demo.api.dialects.number_fields import WHOLE, Penalty, Rate, Scale, ScaleOrZero
from demo.request import COUNT, MAX_STOP_SEQUENCES, SCALE, SEED, Request, Sampling

MAX_CHOICES: Final = 128  # OpenAI's; how many of them find a place is the engine's to say
MAX_TOKENS: Final = "The most tokens to generate; -1 or null for as many as fit."
DRAWING: Final = {"temperature", "top_p", "top_k", "min_p"}  # what greedy decoding does without
UNSET: Final = -1  # llama-server's and vLLM's "as if it were left out"


def _read_count(number: int, field: ValidationInfo) -> int | None:
    if number == UNSET:
        return None
    COUNT.require(field.field_name or "", number)
    return number


CountOrAll: TypeAlias = Annotated[
    int,
    Field(ge=UNSET, le=int(COUNT.high), json_schema_extra={"not": {"const": 0}}),
    AfterValidator(_read_count),
    WHOLE,
]
SeedOrRandom: TypeAlias = Annotated[
    int, Field(ge=UNSET, le=int(SEED.high)), AfterValidator(lambda seed: None if seed == UNSET else seed), WHOLE
]
TopK: TypeAlias = Annotated[
    int, Field(ge=UNSET, le=int(COUNT.high)), AfterValidator(lambda number: number if number > 0 else None), WHOLE
]
MinP: TypeAlias = Annotated[float, Field(ge=0, le=1), AfterValidator(lambda share: share or None)]
TopP: TypeAlias = Annotated[float, Field(ge=0, le=1)]


class StreamOptions(Body):
    """Options of a stream."""

    include_usage: bool | None = Field(default=False, description="One more chunk at the end, with the token counts.")
    continuous_usage_stats: bool | None = False
    """vLLM's: each chunk has the counts of its choice so far."""


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
    top_p: TopP | None = None
    """Sample from the likeliest tokens that reach this probability; 0: greedy decoding."""
    top_k: TopK | None = None
    """vLLM's: sample from this many likeliest tokens; 0 or -1: from all."""
    min_p: MinP | None = None
    """vLLM's: sample from tokens at least so likely, as a share of the likeliest one; 0: all."""
    n: Annotated[int, Field(ge=1, le=MAX_CHOICES), WHOLE] | None = None
    """How many answers to generate. Each takes one of the server's places."""
    stop: str | Annotated[list[str], Field(max_length=MAX_STOP_SEQUENCES, fail_fast=True)] | None = None
    """End before the first of these; an empty one is left out."""
    include_stop_str_in_output: bool | None = False
    """vLLM's: leave the stop string that ends the answer in its text."""
    seed: SeedOrRandom | None = None
    """Same request and seed: same tokens. Answer number i of n is sampled with seed + i. -1: at random."""
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    repetition_penalty: Scale | None = Field(default=None, description="TGI's; 1 means none.")
    ignore_eos: bool | None = Field(default=False, description=IGNORE_EOS)
    max_tokens_per_second: Rate | None = Field(default=None, description=MAX_TOKENS_PER_SECOND)
    return_progress: bool | None = False
    """llama.cpp's: in a stream, report how much of a long prompt has been read, in chunks without a choice."""
    cache_prompt: bool | None = Field(default=True, description=CACHE_PROMPT)
    return_token_ids: bool | None = False
    """vLLM's: return the ids of the prompt, and of the tokens beside their text."""
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    logit_bias: Annotated[Any, Unavailable(({},))] = None

    @property
    def include_usage(self) -> bool:
        return bool(self.stream_options and self.stream_options.include_usage)

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


def read_sampling(body: Body) -> Sampling:
    """How tokens are sampled, by the parameters that a body has: greedily if temperature or `top_p` is 0."""
    given = body.model_dump(include=SAMPLING & type(body).model_fields.keys(), exclude_none=True)
    top_p = given.get("top_p")
    if given.get("temperature") == 0 or top_p == 0:
        return Sampling(**{name: value for name, value in given.items() if name not in DRAWING})
    return Sampling(**{**given, "do_sample": True, "top_p": None if top_p == 1 else top_p})
