"""OpenAI's completions dialect: `/v1/completions`. Pure.

Its chunks carry TGI's fields too: @huggingface/inference 4 streams from this route and passes each chunk to a caller
that reads TGI's `token.text`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field

from demo.api.dialects.answer import Answer
from demo.api.dialects.native import write_chunk, write_stream_details
from demo.api.dialects.native_request import DEFAULT_MAX_NEW_TOKENS, Raw
from demo.api.dialects.number_fields import Count, TopN, choose_length
from demo.api.dialects.openai import FINISH_REASONS, MAX_CHOICES, OpenAIDialect, OpenAIRequest
from demo.api.dialects.plain_prompt import read_prompt
from demo.api.dialects.token_names import BYTES, name_candidate, name_top
from demo.api.dialects.unavailable import Unavailable, refuse_unavailable
from demo.api.openapi.replies import Completion, CompletionChoice, CompletionChunk, CompletionLogprobs
from demo.engine import ModelCard
from demo.errors import BadRequest
from demo.events import Token
from demo.request import Request

Prompt = Annotated[str, Field(min_length=1)]
MAX_PROMPTS: Final = 4


class CompletionRequest(OpenAIRequest):
    """The body of `/v1/completions`."""

    model_config = ConfigDict(json_schema_extra={"example": {"prompt": "What is Deep Learning?", "max_tokens": 20}})

    prompt: Prompt | Annotated[list[Prompt], Field(min_length=1, max_length=MAX_PROMPTS)] = Field(
        description="One text, or several that are answered side by side; each a user's message, unless `raw`."
    )
    raw: Raw = None
    max_tokens: Count | None = Field(
        default=DEFAULT_MAX_NEW_TOKENS, description="The most tokens to generate; null for as many as fit."
    )
    logprobs: TopN | None = Field(
        default=None, description="Return the logprob of each token, and of this many of the likeliest."
    )
    suffix: Annotated[Any, Unavailable(("",))] = None
    echo: Annotated[Any, Unavailable((False,))] = None
    best_of: Annotated[Any, Unavailable((1,))] = None

    @property
    def size(self) -> int:
        """Characters of all prompts."""
        return len(self.prompt) if isinstance(self.prompt, str) else sum(map(len, self.prompt))

    def requests(self, card: ModelCard) -> list[Request]:
        """The engine's requests: each prompt n times. Raises BadRequest."""
        refuse_unavailable(self)
        texts = [self.prompt] if isinstance(self.prompt, str) else self.prompt
        if len(texts) * (self.n or 1) > MAX_CHOICES:
            raise BadRequest(f"{len(texts)} prompts times n are more than {MAX_CHOICES} choices: ask for fewer.")
        sampling, stops, top = self.sampling(), self.stops(), self.logprobs or 0
        prompts = [read_prompt(text, card, self.raw) for text in texts]
        requests = [
            Request(prompt, choose_length(self, "max_tokens", card), sampling, stops, top) for prompt in prompts
        ]
        return [each for request in requests for each in self.repeat(request)]

    def dialect(self, card: ModelCard) -> "CompletionDialect":
        return CompletionDialect(card, self, with_logprobs=self.logprobs is not None)


@dataclass(frozen=True, slots=True)
class CompletionDialect(OpenAIDialect):
    """Pieces of text, with TGI's token beside them."""

    id_prefix = "cmpl"

    def make_empty_chunk(self) -> CompletionChunk:
        return {
            "id": self.id,
            "object": "text_completion",
            "created": self.created,
            "model": self.card.model_id,
            "system_fingerprint": self.fingerprint,
            "choices": [],
        }

    def chunk(self, index: int, answer: Answer, token: Token, is_last: bool) -> CompletionChunk:
        choice: CompletionChoice = {
            "index": index,
            "text": token.text,
            "logprobs": self._write_logprobs([token], answer.characters - len(token.text)),
            "finish_reason": FINISH_REASONS[answer.finish_reason] if is_last else None,
        }
        chunk = self.make_empty_chunk()
        chunk["choices"].append(choice)
        if self.request.include_usage:
            chunk["usage"] = None  # OpenAI's sign that usage follows
        native = write_chunk(answer, token)
        if is_last:
            native["generated_text"], native["details"] = answer.text, write_stream_details(answer)
        return {**chunk, **native}

    def whole(self, answers: Sequence[Answer]) -> Completion:
        choices: list[CompletionChoice] = [
            {
                "index": index,
                "text": answer.text,
                "logprobs": self._write_logprobs(answer.tokens, 0),
                "finish_reason": FINISH_REASONS[answer.finish_reason],
            }
            for index, answer in enumerate(answers)
        ]
        return {
            "id": self.id,
            "object": "text_completion",
            "created": self.created,
            "model": self.card.model_id,
            "system_fingerprint": self.fingerprint,
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
            "top_logprobs": [name_top(token, token.top) for token in tokens],
            "text_offset": list(ends)[:-1],
        }
