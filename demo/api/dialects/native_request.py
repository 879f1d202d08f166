"""The requests of text-generation-inference's own routes: `/generate`, `/generate_stream` and `/`."""

from dataclasses import fields
from typing import Annotated, Any, Final

from pydantic import AliasChoices, ConfigDict, Field

from demo.api.dialects.ignored import Body
from demo.api.dialects.number_fields import Count, Penalty, Rate, Scale, Seed, Share, TopN, choose_length
from demo.api.dialects.plain_prompt import read_prompt
from demo.api.dialects.unavailable import Unavailable, refuse_unavailable
from demo.engine import ModelCard
from demo.errors import BadRequest
from demo.request import MAX_STOP_SEQUENCES, Request, Sampling

MAX_BEST_OF: Final = 2
DEFAULT_MAX_NEW_TOKENS: Final = 100  # TGI's
CACHE_PROMPT: Final = (
    "llama.cpp's: reuse what was computed before for the beginning of this prompt, for the same client; "
    "false: compute all of it."
)
SAMPLING: Final = {field.name for field in fields(Sampling)}
IGNORE_EOS: Final = "Generate past the end token, to measure a given length."
MAX_TOKENS_PER_SECOND: Final = "Slow the generation down to this many tokens a second."

Raw = Annotated[
    bool | None,
    Field(
        description="true: the model reads the text as it is; false: as a user's message, unless it holds control "
        "tokens; null: as `plain_prompts` of /info says."
    ),
]


class Parameters(Body):
    """TGI's parameters of a generation, vLLM's `ignore_eos`, llama.cpp's `cache_prompt`, and `raw`.

    Unknown fields are ignored, as by TGI, and named in the header `x-ignored-parameters`.
    """

    best_of: Annotated[int, Field(ge=1, le=MAX_BEST_OF)] | None = Field(
        default=None,
        description="Generate this many answers and return the likeliest. Needs sampling, no seed, no stream.",
    )
    temperature: Scale | None = Field(default=None, description="Below 1: more likely tokens; above: less likely ones.")
    repetition_penalty: Scale | None = Field(default=None, description="1 means none.")
    frequency_penalty: Penalty | None = Field(
        default=None, description="Subtracted from a token's logit for each time it was generated."
    )
    top_k: Count | None = Field(default=None, description="Sample from this many likeliest tokens.")
    top_p: Share | None = Field(
        default=None, description="Sample from the likeliest tokens that reach this probability."
    )
    typical_p: Share | None = Field(
        default=None, description="Sample from the most typical tokens that reach this probability."
    )
    do_sample: bool = Field(default=False, description="Sample the tokens; false: greedy decoding.")
    max_new_tokens: Count | None = Field(
        default=DEFAULT_MAX_NEW_TOKENS, description="The most tokens to generate; null for as many as fit."
    )
    return_full_text: bool | None = Field(default=None, description="Put `inputs` before the generated text.")
    stop: Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=MAX_STOP_SEQUENCES)] = Field(
        default=[],
        validation_alias=AliasChoices("stop", "stop_sequences"),
        description="End before the first of these. `stop_sequences`, its older name, is read too.",
    )
    truncate: Count | None = Field(
        default=None,
        description="Keep only this many tokens of the prompt's end; those of the chat template all stay, and count. A "
        "prompt of more bytes than `max_input_tokens` can hold is refused all the same.",
    )
    watermark: bool = Field(default=False, description="Accepted and not applied: see /info.")
    details: bool = Field(default=False, description="Return the tokens, the finish reason and the timings.")
    decoder_input_details: bool = Field(
        default=False, description="Return the logprob of each prompt token. Needs details, no stream."
    )
    ignore_eos: bool = Field(default=False, description=IGNORE_EOS)
    max_tokens_per_second: Rate | None = Field(default=None, description=MAX_TOKENS_PER_SECOND)
    return_progress: bool = Field(
        default=False,
        description="llama.cpp's: in a stream, report how much of a long prompt has been read, in SSE comments.",
    )
    cache_prompt: bool = Field(default=True, description=CACHE_PROMPT)
    raw: Raw = None
    seed: Seed | None = Field(default=None, description="Same request and seed: same tokens.")
    top_n_tokens: TopN | None = Field(default=None, description="With each token, return this many of the likeliest.")
    grammar: Annotated[Any, Unavailable()] = None
    adapter_id: Annotated[Any, Unavailable()] = None

    def sampling(self) -> Sampling:
        return Sampling(**self.model_dump(include=SAMPLING & type(self).model_fields.keys(), exclude_none=True))

    def check(self, streamed: bool) -> None:
        """Raises BadRequest for what is unavailable, or does not go together."""
        refuse_unavailable(self)
        if (self.best_of or 1) > 1:
            _refuse_if(streamed, "`best_of` > 1 can't be streamed: ask /generate.")
            _refuse_if(not self.sampling().is_random, "`best_of` > 1 needs sampling: set `do_sample`.")
            _refuse_if(self.seed is not None, "`best_of` > 1 can't be used with a `seed`.")
        _refuse_if(self.decoder_input_details and streamed, "`decoder_input_details` can't be streamed: ask /generate.")


def _refuse_if(wrong: bool, sentence: str) -> None:
    if wrong:
        raise BadRequest(sentence)


class GenerateRequest(Body):
    """The body of `/generate` and `/generate_stream`."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"inputs": "What is Deep Learning?", "parameters": {"max_new_tokens": 20}}}
    )

    inputs: str = Field(min_length=1, description="The prompt: a user's message if it is plain text, unless `raw`.")
    # TGI samples if a request has no `parameters`, and decodes greedily if they are `{}`.
    parameters: Parameters = Field(default_factory=lambda: Parameters(do_sample=True))
    raw: Raw = None  # if `parameters` have none

    @property
    def size(self) -> int:
        """Characters of the prompt."""
        return len(self.inputs)

    def requests(self, card: ModelCard, streamed: bool) -> list[Request]:
        """The engine's requests: one, or several for `best_of`. Raises BadRequest."""
        parameters = self.parameters
        parameters.check(streamed)
        _refuse_if(
            bool(parameters.top_n_tokens) and not card.has_top_ids,
            "`top_n_tokens` needs the ids of alternatives, which the engine behind this server does not tell: ask "
            "/v1/chat/completions for `top_logprobs`.",
        )
        _refuse_if(
            (parameters.best_of or 1) > 1 and not card.has_logprobs,
            "`best_of` > 1 needs log-probabilities, which the engine behind this server does not tell: ask for one.",
        )
        request = Request(
            read_prompt(self.inputs, card, self.raw if parameters.raw is None else parameters.raw),
            choose_length(parameters, "max_new_tokens", card),
            parameters.sampling(),
            tuple(parameters.stop),
            parameters.top_n_tokens or 0,
            ignore_eos=parameters.ignore_eos,
            truncate=parameters.truncate,
            prompt_logprobs=parameters.decoder_input_details,
            pace=parameters.max_tokens_per_second,
            cache_prompt=parameters.cache_prompt,
        )
        return [request] * (parameters.best_of or 1)


class CompatRequest(GenerateRequest):
    """The body of `/`: as `/generate`, or with `stream` as `/generate_stream`."""

    stream: bool = False
