"""text-generation-inference's own dialect: `/generate`, `/generate_stream` and `/`. Pure parse and encode."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from demo.api.dialects.answer import Answer, write_headers
from demo.api.dialects.errors import write_native
from demo.api.dialects.number_fields import Count, Penalty, Rate, Scale, Seed, Share, TopN
from demo.api.dialects.plain_prompt import read_prompt
from demo.api.openapi.replies import (
    BestOfDetails,
    Details,
    Generated,
    NativeError,
    NativeEvent,
    OtherSequence,
    StreamDetails,
    TokenInfo,
)
from demo.bounds import MAX_STOP_SEQUENCES
from demo.errors import BadRequest, DemoError
from demo.events import (
    Candidate,
    ModelCard,
    PromptProgress,
    Request,
    Sampling,
    Token,
)

MAX_BEST_OF: Final = 2
DEFAULT_MAX_NEW_TOKENS: Final = 100  # TGI's
CACHE_PROMPT: Final = (
    "llama.cpp's: reuse what was read before of the beginning of this prompt, for the same client; "
    "false: compute all of it."
)

Raw = Annotated[
    bool | None,
    Field(
        description="true: the model reads the text as it is; false: as a user's message, unless it holds control "
        "tokens; null: as `plain_prompts` of /info says."
    ),
]


class Parameters(BaseModel):
    """TGI's parameters of a generation, vLLM's `ignore_eos`, llama.cpp's `cache_prompt`, and `raw`.

    Unknown fields are ignored, as by TGI.
    """

    model_config = ConfigDict(strict=True, extra="ignore")

    best_of: Annotated[int, Field(ge=1, le=MAX_BEST_OF)] | None = Field(
        default=None,
        description="Generate this many answers and return the likeliest. Needs sampling, no seed, no stream.",
    )
    temperature: Scale | None = Field(default=None, description="Below 1: safer; above: wilder.")
    repetition_penalty: Scale | None = Field(default=None, description="1 means none.")
    frequency_penalty: Penalty | None = Field(
        default=None, description="Taken from a token's logit for each time it was generated."
    )
    top_k: Count | None = Field(default=None, description="Draw among this many likeliest tokens.")
    top_p: Share | None = Field(
        default=None, description="Draw among the likeliest tokens that reach this probability."
    )
    typical_p: Share | None = Field(
        default=None, description="Draw among the most typical tokens that reach this probability."
    )
    do_sample: bool = Field(default=False, description="Draw the tokens; else the likeliest is taken.")
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
        description="Keep only this many tokens of the prompt's end; those of the chat template all stay, and count.",
    )
    watermark: bool = Field(default=False, description="Accepted and not applied: see /info.")
    details: bool = Field(default=False, description="Tell the tokens, the finish reason and the times.")
    decoder_input_details: bool = Field(
        default=False, description="Tell how likely each token of the prompt was. Needs details, no stream."
    )
    ignore_eos: bool = Field(default=False, description="Go on past the end token, to measure a given length.")
    max_tokens_per_second: Rate | None = Field(
        default=None, description="Slow the generation down to this many tokens a second."
    )
    return_progress: bool = Field(
        default=False,
        description="llama.cpp's: in a stream, tell how far a long prompt has been read, here in SSE comments.",
    )
    cache_prompt: bool = Field(default=True, description=CACHE_PROMPT)
    raw: Raw = None
    seed: Seed | None = Field(default=None, description="Same request and seed: same tokens.")
    top_n_tokens: TopN | None = Field(default=None, description="With each token, this many of the likeliest.")
    grammar: Any = Field(default=None, description="Not available here: refused unless null.")
    adapter_id: Any = Field(default=None, description="Not available here: refused unless null.")

    def sampling(self) -> Sampling:
        """How the tokens are chosen."""
        return Sampling(
            do_sample=self.do_sample,
            temperature=1.0 if self.temperature is None else self.temperature,
            top_k=self.top_k,
            top_p=self.top_p,
            typical_p=self.typical_p,
            repetition_penalty=1.0 if self.repetition_penalty is None else self.repetition_penalty,
            frequency_penalty=self.frequency_penalty or 0.0,
            seed=self.seed,
        )


def _when_omitted() -> Parameters:
    # TGI draws when nothing at all is said of parameters, and is greedy for `{}`.
    return Parameters(do_sample=True)


class GenerateRequest(BaseModel):
    """What `/generate` and `/generate_stream` take."""

    model_config = ConfigDict(
        strict=True,
        extra="ignore",
        json_schema_extra={"example": {"inputs": "What is Deep Learning?", "parameters": {"max_new_tokens": 20}}},
    )

    inputs: str = Field(min_length=1, description="The prompt: a user's message if it is plain text, unless `raw`.")
    parameters: Parameters = Field(default_factory=_when_omitted)
    raw: Raw = None  # where `parameters` say nothing of it

    def requests(self, card: ModelCard, streamed: bool) -> list[Request]:
        """What the engine of `card` is asked: one request, or several of which the best is returned.

        Raises BadRequest for what can't go together or can't be done.
        """
        parameters = self.parameters
        best_of = parameters.best_of or 1
        sampling = parameters.sampling()
        for name, given in (("grammar", parameters.grammar), ("adapter_id", parameters.adapter_id)):
            _refuse_if(given is not None, f"`{name}` is not available on this server: leave it out.")
        _refuse_if(best_of > 1 and streamed, "`best_of` > 1 can't be streamed: ask /generate.")
        _refuse_if(best_of > 1 and not sampling.is_random, "`best_of` > 1 needs sampling: set `do_sample`.")
        _refuse_if(best_of > 1 and sampling.seed is not None, "`best_of` > 1 can't be used with a `seed`.")
        scored = parameters.decoder_input_details
        _refuse_if(scored and streamed, "`decoder_input_details` can't be streamed: ask /generate.")
        request = Request(
            read_prompt(self.inputs, card, self.raw if parameters.raw is None else parameters.raw),
            parameters.max_new_tokens,
            sampling,
            tuple(parameters.stop),
            parameters.top_n_tokens or 0,
            ignore_eos=parameters.ignore_eos,
            truncate=parameters.truncate,
            prompt_logprobs=scored,
            pace=parameters.max_tokens_per_second,
            cache_prompt=parameters.cache_prompt,
        )
        return [request] * best_of


class CompatRequest(GenerateRequest):
    """What `/` takes: as `/generate`, or with `stream` as `/generate_stream`."""

    stream: bool = False


def _refuse_if(wrong: bool, sentence: str) -> None:
    if wrong:
        raise BadRequest(sentence)


@dataclass(frozen=True, slots=True)
class NativeDialect:
    """TGI's events and replies. `in_array` wraps a whole reply as `/` does."""

    parameters: Parameters
    device: str
    in_array: bool = False
    ending: bytes = b""

    def chunk(self, index: int, answer: Answer, token: Token, is_last: bool) -> NativeEvent:
        chunk = write_chunk(answer, token)
        if is_last:
            chunk["generated_text"] = self._write_text(answer)
            chunk["details"] = write_stream_details(answer) if self.parameters.details else None
        return chunk

    def progress(self, answer: Answer, progress: PromptProgress) -> str | None:
        return f"prompt {progress.read}/{progress.total}" if self.parameters.return_progress else None

    def close(self, answers: Sequence[Answer]) -> Sequence[NativeEvent]:
        return ()

    def whole(self, answers: Sequence[Answer]) -> Generated | list[Generated]:
        best, *others = sorted(answers, key=_mean_logprob, reverse=True)
        reply: Generated = {"generated_text": self._write_text(best)}
        if self.parameters.details or self.parameters.decoder_input_details:
            reply["details"] = self._write_best(best, others) if others else write_details(best)
        return [reply] if self.in_array else reply

    def headers(self, answers: Sequence[Answer]) -> dict[str, str]:
        return write_headers(max(answers, key=_mean_logprob), self.device)

    def error(self, error: DemoError) -> NativeError:
        return write_native(error)

    def _write_best(self, best: Answer, others: Sequence[Answer]) -> BestOfDetails:
        return {**write_details(best), "best_of_sequences": [self._write_other(other) for other in others]}

    def _write_other(self, answer: Answer) -> OtherSequence:
        return {"generated_text": self._write_text(answer), **write_details(answer)}

    def _write_text(self, answer: Answer) -> str:
        prompt = answer.request.prompt
        sent = prompt if isinstance(prompt, str) else prompt[-1].content
        return f"{sent}{answer.text}" if self.parameters.return_full_text else answer.text


def _mean_logprob(answer: Answer) -> float:
    return sum(token.logprob for token in answer.tokens) / max(len(answer.tokens), 1)


def write_chunk(answer: Answer, token: Token) -> NativeEvent:
    """The event of one token, not the last."""
    chunk: NativeEvent = {"index": token.index, "token": write_token(token), "generated_text": None, "details": None}
    if answer.request.top_n_tokens:
        chunk["top_tokens"] = [write_token(candidate) for candidate in token.top]
    return chunk


def write_token(token: Token | Candidate) -> TokenInfo:
    """A token as TGI tells it."""
    return {"id": token.id, "text": token.text, "logprob": token.logprob, "special": token.special}


def write_stream_details(answer: Answer) -> StreamDetails:
    """The details of a stream's last event; TGI's, and the times that a whole reply has in its headers."""
    return {
        "finish_reason": answer.finish_reason,
        "generated_tokens": len(answer.tokens),
        "seed": answer.seed,
        "input_length": answer.input_tokens,
        "cached_tokens": answer.cached_tokens,
        "timings": answer.time().as_details(),
    }


def write_details(answer: Answer) -> Details:
    """The details of a whole reply."""
    details: Details = {
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
