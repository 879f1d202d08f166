"""OpenAI's completions dialect: `/v1/completions`. Pure.

Its chunks carry TGI's fields too: @huggingface/inference 4 streams from this route and passes each chunk to a caller
that reads TGI's `token.text`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from demo.api.dialects.answer import Answer
from demo.api.dialects.body import Unavailable, refuse_unavailable
from demo.api.dialects.native import DEFAULT_MAX_NEW_TOKENS, Raw, write_chunk, write_stream_details
from demo.api.dialects.number_fields import WHOLE, TopN, choose_length
from demo.api.dialects.openai import BYTES, FINISH_REASONS, OpenAIDialect, name_candidate, name_likeliest
from demo.api.dialects.openai_request import MAX_CHOICES, MAX_TOKENS, CountOrAll, OpenAIRequest, read_sampling
from demo.api.dialects.prompts import read_prompt
from demo.api.openapi.replies import Completion, CompletionChoice, CompletionChunk, CompletionLogprobs
from demo.engine import ModelCard
from demo.errors import BadRequest
from demo.events import Token
from demo.request import COUNT, Request, TokenIds

Text = Annotated[str, Field(min_length=1)]
TokenId = Annotated[int, Field(ge=0, le=int(COUNT.high)), WHOLE]
Ids = Annotated[list[TokenId], Field(min_length=1, fail_fast=True)]
Texts = Annotated[list[Text], Field(min_length=1, max_length=MAX_CHOICES, fail_fast=True)]
ManyIds = Annotated[list[Ids], Field(min_length=1, max_length=MAX_CHOICES, fail_fast=True)]


class CompletionRequest(OpenAIRequest):
    """The body of `/v1/completions`."""

    model_config = ConfigDict(json_schema_extra={"example": {"prompt": "What is Deep Learning?", "max_tokens": 20}})

    prompt: Text | Texts | Ids | ManyIds = Field(
        description="One text, or several that are answered side by side, each a user's message, unless `raw`; or the "
        "ids of one's tokens, or of several, which are read as they are."
    )
    raw: Raw = None
    max_tokens: CountOrAll | None = Field(default=DEFAULT_MAX_NEW_TOKENS, description=MAX_TOKENS)
    logprobs: TopN | None = None
    """Return the logprob of each token, of this many of the likeliest and its own."""
    suffix: Annotated[Any, Unavailable(("",))] = None
    echo: Annotated[Any, Unavailable((False,))] = None
    best_of: Annotated[Any, Unavailable((1,))] = None

    @property
    def size(self) -> int:
        """Characters of all prompts, or their ids."""
        return sum(len(each.ids if isinstance(each, TokenIds) else each) for each in self.list_prompts())

    def list_prompts(self) -> Sequence[str | TokenIds]:
        """The prompts, as they were sent."""
        given: Any = self.prompt
        several = [given] if isinstance(given, str) or isinstance(given[0], int) else given
        return [each if isinstance(each, str) else TokenIds(tuple(each)) for each in several]

    def requests(self, card: ModelCard) -> list[Request]:
        """The engine's requests: each prompt n times. Raises BadRequest."""
        refuse_unavailable(self)
        given, n = self.list_prompts(), self.n or 1
        if len(given) * n > MAX_CHOICES:
            raise BadRequest(f"{len(given)} prompts times {n} are more than {MAX_CHOICES} choices: ask for fewer.")
        sampling, stops, top = read_sampling(self), self.stops(), self.logprobs or 0
        prompts = [read_prompt(each, card, self.raw) if isinstance(each, str) else each for each in given]
        requests = [
            Request(prompt, choose_length(self, "max_tokens", card), sampling, stops, top) for prompt in prompts
        ]
        return [each for request in requests for each in self.repeat(request)]


@dataclass(frozen=True, slots=True)
class CompletionDialect(OpenAIDialect):
    """Pieces of text, with TGI's token beside them."""

    id_prefix = "cmpl"

    def write_chunk(self, *choices: CompletionChoice) -> CompletionChunk:
        return {
            "id": self.id,
            "object": "text_completion",
            **self.write_envelope(),  # type: ignore[typeddict-item]  # to mypy it might have more fields
            "choices": [*choices],
        }

    def chunk(self, index: int, answer: Answer, token: Token, is_last: bool) -> CompletionChunk:
        choice: CompletionChoice = {
            "index": index,
            "text": token.text,
            "logprobs": self._write_logprobs([token], answer.characters - len(token.text)),
            "finish_reason": FINISH_REASONS[answer.finish_reason] if is_last else None,
            **self.write_choice_fields(answer, [token]),
            **self.write_prompt_ids(answer, token.index == 1),
        }
        native = write_chunk(answer, token)
        if is_last:
            native["generated_text"], native["details"] = answer.text, write_stream_details(answer)
        return {**self.write_chunk(choice), **self.write_usage_so_far(answer), **native}

    def whole(self, answers: Sequence[Answer]) -> Completion:
        choices: list[CompletionChoice] = [
            {
                "index": index,
                "text": answer.text,
                "logprobs": self._write_logprobs(answer.tokens, 0),
                "finish_reason": FINISH_REASONS[answer.finish_reason],
                **self.write_choice_fields(answer, answer.tokens),
                **self.write_prompt_ids(answer),
            }
            for index, answer in enumerate(answers)
        ]
        return {
            "id": self.id,
            "object": "text_completion",
            **self.write_envelope(),
            "choices": choices,
            "usage": self.count_usage(answers),
        }

    def _write_logprobs(self, tokens: Sequence[Token], offset: int) -> CompletionLogprobs | None:
        if not self.with_logprobs:
            return None
        ends = accumulate((len(token.text) for token in tokens), initial=offset)
        return {
            "tokens": [name_candidate(token.candidate, BYTES) for token in tokens],
            "token_logprobs": [token.logprob for token in tokens],
            "top_logprobs": [name_likeliest(token) for token in tokens],
            "text_offset": list(ends)[:-1],
        }
