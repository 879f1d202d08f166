"""text-generation-inference's own dialect: `/generate`, `/generate_stream` and `/`. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any, Final

from pydantic import AliasChoices, ConfigDict, Field

from demo.api.dialects.answer import Answer
from demo.api.dialects.body import Body, Unavailable, refuse_unavailable
from demo.api.dialects.dialect import Dialect
from demo.api.dialects.errors import write_native
from demo.api.dialects.number_fields import Count, Penalty, Rate, Scale, Seed, Share, TopN, choose_length
from demo.api.dialects.prompts import read_prompt
from demo.api.openapi import replies
from demo.engine import ModelCard
from demo.errors import BadRequest, DemoError
from demo.events import Candidate, PromptProgress, Queued, Token
from demo.request import MAX_STOP_SEQUENCES, Request, Sampling, find_question

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

    best_of: Annotated[int, Field(ge=1, le=MAX_BEST_OF)] | None = None
    """Generate this many answers and return the likeliest. Needs sampling, no seed, no stream."""
    temperature: Scale | None = Field(default=None, description="Below 1: more likely tokens; above: less likely ones.")
    repetition_penalty: Scale | None = Field(default=None, description="1 means none.")
    frequency_penalty: Penalty | None = None
    """Subtracted from a token's logit for each time it was generated."""
    top_k: Count | None = Field(default=None, description="Sample from this many likeliest tokens.")
    top_p: Share | None = None
    """Sample from the likeliest tokens that reach this probability."""
    typical_p: Share | None = None
    """Sample from the most typical tokens that reach this probability."""
    do_sample: bool = Field(default=False, description="Sample the tokens; false: greedy decoding.")
    max_new_tokens: Count | None = DEFAULT_MAX_NEW_TOKENS
    """The most tokens to generate; null for as many as fit."""
    return_full_text: bool | None = Field(default=None, description="Put `inputs` before the generated text.")
    stop: Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=MAX_STOP_SEQUENCES)] = Field(
        default=[], validation_alias=AliasChoices("stop", "stop_sequences")
    )
    """End before the first of these. `stop_sequences`, its older name, is read too."""
    truncate: Count | None = Field(
        default=None,
        description="Keep only this many tokens of the prompt's end; those of the chat template all stay, and count. A "
        "prompt of more bytes than `max_input_tokens` can hold is refused all the same.",
    )
    watermark: bool = Field(default=False, description="Accepted and not applied: see /info.")
    details: bool = Field(default=False, description="Return the tokens, the finish reason and the timings.")
    decoder_input_details: bool = False
    """Return the logprob of each prompt token. Needs details, no stream."""
    ignore_eos: bool = Field(default=False, description=IGNORE_EOS)
    max_tokens_per_second: Rate | None = Field(default=None, description=MAX_TOKENS_PER_SECOND)
    return_progress: bool = False
    """llama.cpp's: in a stream, report how much of a long prompt has been read, in SSE comments."""
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


@dataclass(frozen=True, slots=True)
class NativeDialect(Dialect):
    """`in_array` wraps a whole reply in an array, as `/` does."""

    parameters: Parameters
    device: str
    in_array: bool = False

    def chunk(self, index: int, answer: Answer, token: Token, is_last: bool) -> replies.NativeEvent:
        chunk = write_chunk(answer, token)
        if is_last:
            chunk["generated_text"] = self._write_text(answer)
            chunk["details"] = write_stream_details(answer) if self.parameters.details else None
        return chunk

    def progress(self, answer: Answer, progress: PromptProgress | Queued) -> str | None:
        if not self.parameters.return_progress:
            return None
        return describe_queued(progress) if isinstance(progress, Queued) else f"prompt {progress.read}/{progress.total}"

    def whole(self, answers: Sequence[Answer]) -> replies.Generated | list[replies.Generated]:
        best, *others = sorted(answers, key=_mean_logprob, reverse=True)
        reply: replies.Generated = {"generated_text": self._write_text(best)}
        if self.parameters.details or self.parameters.decoder_input_details:
            reply["details"] = self._write_best(best, others) if others else write_details(best)
        return [reply] if self.in_array else reply

    def headers(self, answers: Sequence[Answer]) -> dict[str, str]:
        return max(answers, key=_mean_logprob).headers(self.device)

    def error(self, error: DemoError) -> replies.NativeError:
        return write_native(error)

    def _write_best(self, best: Answer, others: Sequence[Answer]) -> replies.BestOfDetails:
        sequences: list[replies.OtherSequence] = [
            {"generated_text": self._write_text(each), **write_details(each)} for each in others
        ]
        return {**write_details(best), "best_of_sequences": sequences}

    def _write_text(self, answer: Answer) -> str:
        question = find_question(answer.request.prompt) if self.parameters.return_full_text else ""
        return question + answer.text


def _mean_logprob(answer: Answer) -> float:
    return sum(token.logprob or 0.0 for token in answer.tokens) / max(len(answer.tokens), 1)


def describe_queued(queued: Queued) -> str:
    """The comment for a request that waits."""
    expected = "" if queued.seconds is None else f", first token in {queued.seconds:.1f} s"
    return f"queued {queued.ahead} ahead{expected}"


def write_chunk(answer: Answer, token: Token) -> replies.NativeEvent:
    """The event of a token that is not the last."""
    chunk: replies.NativeEvent = {
        "index": token.index,
        "token": write_token(token),
        "generated_text": None,
        "details": None,
    }
    if answer.request.top_n_tokens:
        chunk["top_tokens"] = [write_token(candidate) for candidate in token.top]
    return chunk


def write_token(token: Token | Candidate) -> replies.TokenInfo:
    return {"id": token.id, "text": token.text, "logprob": token.logprob, "special": token.special}


def write_stream_details(answer: Answer) -> replies.StreamDetails:
    """The details of a stream's last event: TGI's, and the timings that a whole reply has in its headers."""
    return {
        "finish_reason": answer.finish_reason,
        "generated_tokens": len(answer.tokens),
        "seed": answer.seed,
        "input_length": answer.input_tokens,
        "cached_tokens": answer.cached_tokens,
        "timings": answer.timings().as_details(),
    }


def write_details(answer: Answer) -> replies.Details:
    details: replies.Details = {
        "finish_reason": answer.finish_reason,
        "generated_tokens": len(answer.tokens),
        "seed": answer.seed,
        "cached_tokens": answer.cached_tokens,
        "prefill": [{"id": token.id, "text": token.text, "logprob": token.logprob} for token in answer.prompt],
        "tokens": [write_token(token) for token in answer.tokens],
    }
    if answer.request.top_n_tokens:
        details["top_tokens"] = [[write_token(candidate) for candidate in token.top] for token in answer.tokens]
    return details
